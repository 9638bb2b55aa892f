import { describe, expect, test } from "vitest";
import { createAddressGuard, isTargetEntry } from "../../collector/notify/address-guard.ts";

function check(address: string, allowed: readonly string[] = [], host = "example.com"): boolean {
  return createAddressGuard(allowed)(host, address);
}

const closed = [
  ...["0.0.0.0", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "127.0.0.1"],
  ...["127.255.0.1", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192"],
  ...["192.168.1.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"],
  ...["168.63.129.16", "192.0.2.1", "198.51.100.7", "203.0.113.9", "192.88.99.1"],
  ...["::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1"],
  ...["::ffff:127.0.0.1", "::ffff:a9fe:a9fe", "::ffff:10.0.0.1", "::127.0.0.1"],
  ...["64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2001::1", "2001:db8::1", "3fff::1"],
  ...["100::1", "", "localhost", "not an address"],
];
const open = [
  ...["1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.1", "100.128.0.1", "126.0.0.1"],
  ...["172.15.255.255", "172.32.0.1", "192.167.1.1", "223.255.255.255", "::ffff:8.8.8.8"],
  ...["2606:4700::1111", "2a00:1450::1"],
];

describe("where a webhook may lead", () => {
  test.each(closed)("not to %s", (address) => expect(check(address)).toBe(false));
  test.each(open)("to %s", (address) => expect(check(address)).toBe(true));

  test.each<[allowed: string, address: string, host: string, is: boolean]>([
    ["127.0.0.1", "127.0.0.1", "localhost", true],
    ["127.0.0.1", "127.0.0.2", "localhost", false],
    ["127.0.0.1", "::ffff:127.0.0.1", "localhost", true],
    ["10.1.0.0/16", "10.1.200.3", "inside", true],
    ["10.1.0.0/16", "10.2.0.1", "inside", false],
    ["fd00:1::/32", "fd00:1::9", "inside", true],
    ["fd00:1::/32", "fd00:2::9", "inside", false],
    ["Hooks.Internal", "10.9.9.9", "hooks.internal", true],
    ["hooks.internal", "10.9.9.9", "other.internal", false],
    ["hooks.internal", "10.9.9.9", "evil.hooks.internal", false],
  ])("allowed %s: %s of %s is %s", (allowed, address, host, is) =>
    expect(check(address, [allowed], host)).toBe(is),
  );
});

describe("entries of allowed targets", () => {
  test.each(["10.0.0.1", "10.0.0.0/8", "fd00::/8", "::1", "hooks.internal", "a", "x."])(
    "%s is one",
    (entry) => expect(isTargetEntry(entry)).toBe(true),
  );
  test.each(["", "10.0.0.0/33", "fd00::/129", "10.0.0.0/8/8", "a b", "http://a", "-a", "*", "::g"])(
    "%s is none",
    (entry) => expect(isTargetEntry(entry)).toBe(false),
  );
});
