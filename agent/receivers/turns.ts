/**
 * Tasks that each have a turn of the event loop of their own, first come, first served. Hundreds of
 * bodies that come together and take milliseconds each to inflate would stop everything else for
 * seconds. Whoever waits holds its share of the byte budget, so there are never many.
 */
export type InTurn = (task: () => void) => void;

export function createTurns(): InTurn {
  const waiting: (() => void)[] = [];
  const next = (): void => {
    try {
      waiting[0]?.();
    } finally {
      waiting.shift();
      if (waiting.length > 0) setImmediate(next);
    }
  };
  return (task) => {
    if (waiting.push(task) === 1) setImmediate(next);
  };
}

/** For tasks that are short. */
export const atOnce: InTurn = (task) => task();
