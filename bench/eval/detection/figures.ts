/** What a week without faults, and one with some, say of the detector. */
import type { Figure } from "../../table.ts";
import { wilsonInterval } from "../interval.ts";
import { type FaultRun, type NullRun, windowsOfWeek } from "./null-week.ts";
import type { TrafficRun } from "./traffic-week.ts";

/** The default of what a user allows a week. */
const pagesMax = 1;
const falseShareMax = 0.001;
const powerMin = 0.9;

export function nullFigures(run: NullRun): Figure[] {
  const share = run.windows / windowsOfWeek;
  return [
    plain("windows", "windows judged", run.windows),
    { metric: "week_share", label: "share of the week played", value: share, unit: "" },
    {
      metric: "pages",
      label: "pages in them, and calls of a rule of three sigmas",
      value: run.pages,
      unit: "",
      goal: { max: pagesMax },
      rivals: { "3-sigma": run.sigmaCalls },
    },
    plain("incidents", "incidents opened", run.incidents),
    {
      metric: "windows_called",
      label: "share of windows in which any row was called",
      value: run.windowsCalled / run.windows,
      interval: wilsonInterval(run.windowsCalled, run.windows),
      unit: "",
    },
    {
      metric: "window_ms",
      label: "a window",
      value: (1e3 * run.seconds) / run.windows,
      unit: "ms",
    },
  ];
}

export function faultFigures(run: FaultRun): Figure[] {
  const mean = run.windowsToFind.reduce((sum, one) => sum + one, 0) / run.windowsToFind.length;
  return [
    {
      metric: "found",
      label: "faults whose service an incident names",
      value: run.found / run.faults,
      interval: wilsonInterval(run.found, run.faults),
      unit: "",
      goal: { min: powerMin },
    },
    { metric: "windows", label: "bad windows until then, mean", value: mean, unit: "" },
    plain("false_incidents", "incidents of what is well", run.falseIncidents),
    {
      metric: "false_share",
      label: "share of false ones among the rows called",
      value: run.called === 0 ? 0 : run.falselyCalled / run.called,
      interval: wilsonInterval(run.falselyCalled, run.called),
      unit: "",
      goal: { max: falseShareMax },
    },
    plain("called", "rows called", run.called),
  ];
}

export function trafficFigures(run: TrafficRun): Figure[] {
  const share = run.windows / windowsOfWeek;
  return [
    plain("windows", "windows judged", run.windows),
    { metric: "week_share", label: "share of the week played", value: share, unit: "" },
    plain("rows", "services and operations", run.rows),
    {
      metric: "told",
      label: "drops told of, of steady traffic",
      value: run.told,
      unit: "",
      goal: { max: pagesMax },
    },
    plain("told_of_jobs", "drops told of, of work in bursts: ten services", run.toldOfJobs),
    {
      metric: "window_ms",
      label: "a window",
      value: (1e3 * run.seconds) / run.windows,
      unit: "ms",
    },
  ];
}

function plain(metric: string, label: string, value: number): Figure {
  return { metric, label, value, unit: "" };
}
