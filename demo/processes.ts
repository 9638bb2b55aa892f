/** The processes of the shop, each with what its spans say about it. */
export interface ProcessPlan {
  /** service.name, and its file in services/. */
  readonly name: string;
  readonly version: string;
  readonly region: string;
  /** The name others find it by; the service's name when not given. */
  readonly host?: string;
}

const home = "eu-west-1";

export const servicePlans: readonly ProcessPlan[] = [
  { name: "frontend", version: "5.12.0", region: home },
  { name: "catalog", version: "3.1.4", region: home },
  { name: "recommendations", version: "0.9.1", region: home },
  { name: "cart", version: "2.2.0", region: home },
  { name: "checkout", version: "4.0.2", region: home },
  { name: "pricing", version: "1.8.0", region: home },
  { name: "tax", version: "1.3.3", region: home },
  { name: "inventory", version: "2.7.5", region: home },
  ...["eu-west-1", "us-east-1"].flatMap((region) =>
    ["2.3.0", "2.4.0"].map((version) => ({
      name: "payments",
      version,
      region,
      host: `payments.${region}`,
    })),
  ),
  { name: "fulfillment", version: "1.0.8", region: home },
  { name: "loyalty", version: "1.1.0", region: home },
];

export const pricingNext: ProcessPlan = { name: "pricing", version: "1.9.0", region: home };

/** Parts that send no telemetry: bought, not built. */
export const partNames = ["database", "queue"] as const;
