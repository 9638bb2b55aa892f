/**
 * The built user interface, read into memory once: a request either names one of these paths
 * exactly or gets nothing, so no path can lead out of the directory.
 */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { extname, join } from "node:path";

export interface UiFile {
  readonly bytes: Buffer;
  readonly contentType: string;
  readonly etag: string;
  readonly cacheControl: string;
}

export type UiManifest = ReadonlyMap<string, UiFile>;

const contentTypes: ReadonlyMap<string, string> = new Map([
  [".css", "text/css; charset=utf-8"],
  [".html", "text/html; charset=utf-8"],
  [".ico", "image/x-icon"],
  [".js", "text/javascript; charset=utf-8"],
  [".json", "application/json; charset=utf-8"],
  [".png", "image/png"],
  [".svg", "image/svg+xml"],
  [".txt", "text/plain; charset=utf-8"],
  [".webmanifest", "application/manifest+json"],
  [".woff2", "font/woff2"],
]);
const filesMax = 1_000;
const fileBytesMax = 16 * 2 ** 20;

/** Reads `directory`; empty when it does not exist or holds no page. Unknown file types stay out. */
export async function readUiManifest(directory: string): Promise<UiManifest> {
  const manifest = new Map<string, UiFile>();
  if (directory === "") return manifest;
  await addFiles(manifest, directory, "/");
  const page = manifest.get("/index.html");
  if (page !== undefined) manifest.set("/", page);
  return manifest;
}

async function addFiles(
  manifest: Map<string, UiFile>,
  directory: string,
  prefix: string,
): Promise<void> {
  for (const entry of await entriesOf(directory)) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) {
      await addFiles(manifest, path, `${prefix}${entry.name}/`);
      continue;
    }
    const contentType = contentTypes.get(extname(entry.name));
    if (!entry.isFile() || contentType === undefined || manifest.size >= filesMax) continue;
    const bytes = await readFile(path);
    if (bytes.length > fileBytesMax) continue;
    manifest.set(`${prefix}${entry.name}`, {
      bytes,
      contentType,
      etag: `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 22)}"`,
      // Built files under assets/ carry a hash in their name.
      cacheControl: prefix.startsWith("/assets/")
        ? "public, max-age=31536000, immutable"
        : "no-cache",
    });
  }
}

async function entriesOf(directory: string) {
  try {
    return await readdir(directory, { withFileTypes: true });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw cause;
  }
}
