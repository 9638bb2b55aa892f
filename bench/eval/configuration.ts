/**
 * The one configuration of every benchmark. Detectors, isolation and blame run on the product's
 * defaults, which are where they are used; what is here is what a user would set, and from which
 * surprise on a series' benchmark calls it an alarm, chosen on development halves.
 */
import type { DeciderSettings } from "../../collector/stages/decider.ts";

export const deciderSettings: DeciderSettings = { customersMin: 5, falsePagesPerWeek: 1 };

export const alarmThresholds = { nabStandard: 3.94, nabLowFalsePositives: 4.5, wsd: 2.8 } as const;
