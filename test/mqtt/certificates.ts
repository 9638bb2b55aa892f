/** A certificate authority and what it signs, made for one test with Debian's openssl. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const hasOpenssl = existsSync("/usr/bin/openssl");

export interface Certificates {
  readonly caFile: string;
  readonly server: KeyPair;
  readonly client: KeyPair;
  remove(): void;
}

export interface KeyPair {
  readonly certFile: string;
  readonly keyFile: string;
}

export function createCertificates(): Certificates {
  const folder = mkdtempSync(join(tmpdir(), "brunt-certificates-"));
  const openssl = (...args: string[]): void => {
    execFileSync("/usr/bin/openssl", args, { cwd: folder, stdio: "pipe" });
  };
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const authority = ["-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test authority"];
  openssl("req", "-x509", "-days", "2", ...newKey, ...authority);
  const sign = (name: string, extension: string): KeyPair => {
    const request = ["-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${name}`];
    openssl("req", ...newKey, ...request);
    writeFileSync(join(folder, `${name}.ext`), extension);
    const by = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"];
    const out = ["-out", `${name}.pem`, "-extfile", `${name}.ext`];
    openssl("x509", "-req", "-in", `${name}.csr`, ...by, ...out);
    return { certFile: join(folder, `${name}.pem`), keyFile: join(folder, `${name}.key`) };
  };
  return {
    caFile: join(folder, "ca.pem"),
    server: sign("server", "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n"),
    client: sign("client", "extendedKeyUsage=clientAuth\n"),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
