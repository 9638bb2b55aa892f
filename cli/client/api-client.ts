/** Reads of the collector's public API. */
import { CommandError } from "../line/command.ts";
import { exitCodes } from "../system.ts";

export interface ApiClient {
  readonly url: string;
  /** The answer's JSON; undefined when the collector says there is no such thing. */
  read<T>(path: string): Promise<T | undefined>;
}

const timeoutMs = 10_000;

export interface ApiAccess {
  readonly url: string;
  /** A bearer token, where the collector wants one. */
  readonly token: string | undefined;
}

/** @throws {CommandError} with exit code 2 when `url` is not an http(s) address */
export function createApiClient({ url, token }: ApiAccess, stop: AbortSignal): ApiClient {
  const base = parseBase(url);
  const headers = authorization(token);
  return {
    url: base,
    async read<T>(path: string): Promise<T | undefined> {
      const response = await request(`${base}${path}`, { headers, stop });
      if (response.status === 404) return undefined;
      if (response.ok) return (await response.json()) as T;
      const text = (await response.text()).slice(0, 300);
      throw new CommandError(
        `${base}${path} answers ${response.status}: ${text}`,
        exitCodes.failure,
      );
    },
  };
}

export function authorization(token: string | undefined): Readonly<Record<string, string>> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

function parseBase(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed !== undefined && /^https?:$/.test(parsed.protocol)) {
    return parsed.href.replace(/\/$/, "");
  }
  throw new CommandError(
    `the url must be an http:// or https:// address, not ${JSON.stringify(url)}`,
    exitCodes.usage,
  );
}

async function request(
  url: string,
  { headers, stop }: { headers: Readonly<Record<string, string>>; stop: AbortSignal },
): Promise<Response> {
  try {
    const signal = AbortSignal.any([stop, AbortSignal.timeout(timeoutMs)]);
    return await fetch(url, { headers, signal });
  } catch (error) {
    if (stop.aborted) throw new CommandError("interrupted", exitCodes.interrupted);
    throw new CommandError(
      `no collector answers at ${new URL(url).origin} (${reasonOf(error)}); ` +
        "start one with brunt start or brunt demo, or name another with --url",
      exitCodes.failure,
    );
  }
}

/** fetch hides the socket's own words in `cause`. */
function reasonOf(error: unknown): string {
  const { cause, message } = error as Error & { cause?: { code?: string; message?: string } };
  return cause?.code ?? cause?.message ?? message;
}
