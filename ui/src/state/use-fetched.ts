/** Something fetched anew whenever `revision` changes; the last answer stays until the next. */
import { useEffect, useState } from "react";
import { type Fetched, fetchJson } from "../api/fetch-json.ts";

interface Held<T> {
  readonly path: string;
  readonly answer: Fetched<T>;
}

export function useFetched<T>(path: string, revision: string | number): Fetched<T> | undefined {
  const [held, setHeld] = useState<Held<T> | undefined>(undefined);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new revision is why to fetch again
  useEffect(() => {
    const abort = new AbortController();
    void fetchJson<T>(path, abort.signal).then((answer) => {
      if (abort.signal.aborted) return;
      setHeld((before) => {
        // A passing failure does not wipe what is already on the page.
        const keeps = !answer.ok && before?.path === path && before.answer.ok;
        return keeps ? before : { path, answer };
      });
    });
    return () => abort.abort();
  }, [path, revision]);
  return held?.path === path ? held.answer : undefined;
}
