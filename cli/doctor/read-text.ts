/** One GET whose failure is an answer, not an exception. */
const timeoutMs = 5_000;

export interface TextAnswer {
  /** 0 when nobody answered. */
  readonly status: number;
  readonly text: string;
  /** The reason, when the status is not 200. */
  readonly says: string;
}

export async function readText(
  url: string,
  options: { readonly stop: AbortSignal; readonly headers?: Readonly<Record<string, string>> },
): Promise<TextAnswer> {
  const { stop, headers = {} } = options;
  try {
    const signal = AbortSignal.any([stop, AbortSignal.timeout(timeoutMs)]);
    const response = await fetch(url, { headers, signal });
    const text = await response.text();
    return { status: response.status, text, says: `${response.status} ${messageIn(text)}`.trim() };
  } catch (error) {
    const { cause, message } = error as Error & { cause?: { code?: string; message?: string } };
    return { status: 0, text: "", says: cause?.code ?? cause?.message ?? message };
  }
}

function messageIn(text: string): string {
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    return typeof message === "string" ? message : "";
  } catch {
    return "";
  }
}
