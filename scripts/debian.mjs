/**
 * Programs of Debian that some tests drive. `npm test` installs those that are missing, where it
 * may; a test skips itself, and says so, where its program is not there.
 */
import { existsSync } from "node:fs";
import { runQuietly, StepError, step } from "./steps.mjs";

/** Package, the program that shows it is there, what is skipped without it. */
const packages = [
  { name: "chromium", program: "/usr/bin/chromium", tests: "the user interface's" },
  {
    name: "faketime",
    program: "/usr/bin/faketime",
    tests: "those of wrong clocks, in npm run chaos,",
  },
  { name: "mosquitto", program: "/usr/sbin/mosquitto", tests: "those against a real broker" },
  {
    name: "prometheus-alertmanager",
    program: "/usr/bin/prometheus-alertmanager",
    tests: "those against a real Alertmanager",
  },
  {
    name: "iproute2",
    program: "/usr/sbin/tc",
    tests: "those of broken networks, in npm run chaos,",
  },
  {
    name: "nftables",
    program: "/usr/sbin/nft",
    tests: "those of broken networks, in npm run chaos,",
  },
];

const skipped = (names) =>
  packages
    .filter(({ name }) => names.includes(name))
    .map(({ name, tests }) => `· no ${name} here: ${tests} tests are skipped\n`)
    .join("");

export async function ensureDebianPackages() {
  const missing = packages.filter(({ program }) => !existsSync(program)).map(({ name }) => name);
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) {
    process.stderr.write(`· installing needs root and apt-get\n${skipped(missing)}`);
    return;
  }
  const failed = [];
  if (!(await attempt("update the package lists", ["update", "-q"]))) failed.push(...missing);
  else {
    for (const name of missing) {
      const args = ["install", "-q", "-y", "--no-install-recommends", name];
      if (!(await attempt(`install ${name}`, args))) failed.push(name);
    }
  }
  process.stderr.write(skipped(failed));
}

async function attempt(title, args) {
  try {
    await step(title, () => runQuietly("apt-get", args));
    return true;
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return false;
  }
}
