/** Where text goes, and how wide, plain or coloured it may be there. */
export interface Terminal {
  write(text: string): void;
  readonly columns: number;
  readonly isTty: boolean;
  readonly style: Style;
}

/** Each wraps a text; on anything but a terminal, or under NO_COLOR, it returns it as it is. */
export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  cyan(text: string): string;
}

const columnsDefault = 100;

export function createStyle(colour: { readonly enabled: boolean }): Style {
  const paint = (open: number, close: number) => (text: string) =>
    colour.enabled && text !== "" ? `\u001b[${open}m${text}\u001b[${close}m` : text;
  return {
    bold: paint(1, 22),
    dim: paint(2, 22),
    red: paint(31, 39),
    green: paint(32, 39),
    yellow: paint(33, 39),
    cyan: paint(36, 39),
  };
}

export const plainStyle: Style = createStyle({ enabled: false });

/** NO_COLOR as https://no-color.org has it: present and not empty, whatever its value. */
export function createTerminal(
  stream: NodeJS.WriteStream,
  environment: Readonly<Record<string, string | undefined>>,
): Terminal {
  const isTty = stream.isTTY === true;
  const enabled = isTty && (environment.NO_COLOR ?? "") === "" && environment.TERM !== "dumb";
  return {
    write: (text) => void stream.write(text),
    get columns() {
      return stream.columns ?? columnsDefault;
    },
    isTty,
    style: createStyle({ enabled }),
  };
}

/** Control characters could move the cursor or hide text; names come from telemetry. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
}

/** Breaks at spaces so that no line is wider than `width`; a longer word keeps its own line. */
export function wrapText(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  lines.push(line);
  return lines;
}
