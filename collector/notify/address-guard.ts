/**
 * Which addresses a webhook may be sent to. Whoever may set a webhook's address could otherwise
 * have the collector ask machines that only it can reach: private and loopback networks, and the
 * metadata services of clouds, which hand out credentials.
 *
 * Sources: IANA special-purpose address registries, RFC 6890 and its updates.
 */
import { BlockList, isIP } from "node:net";

/** Whether a host's address may be connected to. */
export type AddressGuard = (host: string, address: string) => boolean;

const closedV4 = [
  ...["0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"],
  ...["172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16"],
  ...["198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3"],
  // The platform's own service on every machine of one large cloud.
  "168.63.129.16/32",
];

/** Of version 6 only what is given out to networks is open, less what carries other addresses. */
const openV6 = "2000::/3";
const closedV6 = ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"];

/** `allowed`: host names, addresses, or ranges such as `10.1.0.0/16`. */
export function createAddressGuard(allowed: readonly string[]): AddressGuard {
  const names = new Set(allowed.map((entry) => entry.toLowerCase()));
  const allowedRanges = listOf(allowed.filter((entry) => isRange(entry)));
  return (host, address) => {
    if (names.has(host.toLowerCase())) return true;
    const plain = unmapped(address);
    return has(allowedRanges, plain) || isPublic(plain);
  };
}

/** Whether `entry` of the allowed targets means something. */
export function isTargetEntry(entry: string): boolean {
  return isRange(entry) || /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\.?$/i.test(entry);
}

/** To every address: for targets that the operator names and that live beside us. */
export const anyAddress: AddressGuard = () => true;

const closed = listOf([...closedV4, ...closedV6]);
const open = listOf([openV6]);

function isPublic(address: string): boolean {
  const family = isIP(address);
  if (family === 0 || address.includes("%")) return false;
  return !has(closed, address) && (family === 4 || has(open, address));
}

function isRange(entry: string): boolean {
  const [address = "", bits, ...rest] = entry.split("/");
  const family = isIP(address);
  if (family === 0 || rest.length > 0 || address.includes("%")) return false;
  return (
    bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128))
  );
}

function listOf(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = "", bits] = range.split("/");
    const family = isIP(address) === 4 ? "ipv4" : "ipv6";
    list.addSubnet(address, Number(bits ?? (family === "ipv4" ? 32 : 128)), family);
  }
  return list;
}

function has(list: BlockList, address: string): boolean {
  const family = isIP(address);
  return family !== 0 && list.check(address, family === 4 ? "ipv4" : "ipv6");
}

/** An IPv4 address in the dress of version 6 as itself: `::ffff:10.0.0.1`, `::ffff:a00:1`. */
function unmapped(address: string): string {
  if (isIP(address) !== 6) return address;
  const { hostname } = new URL(`http://[${address.split("%")[0]}]`);
  const match = /^\[::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})\]$/.exec(hostname);
  if (match === null) return address;
  const [high, low] = [
    Number.parseInt(match[1] as string, 16),
    Number.parseInt(match[2] as string, 16),
  ];
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}
