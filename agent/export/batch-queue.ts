/**
 * Batches that wait for the collector, in order, within a number and a size. When one more does
 * not fit, the oldest is dropped: the newest windows are the ones an incident needs. The queue says
 * what it dropped, so that the loss is declared.
 */
export interface QueuedBatch {
  readonly bytes: Uint8Array;
  /** Spans its cells count; 0 for a heartbeat. */
  readonly spans: number;
}

export interface BatchQueue {
  readonly count: number;
  readonly size: number;
  /** Adds a batch; gives the batches dropped to make room, oldest first. */
  add(batch: QueuedBatch): readonly QueuedBatch[];
  first(): QueuedBatch | undefined;
  /** Removes this batch if it is still the first: it may have been dropped while it was sent. */
  remove(batch: QueuedBatch): void;
}

export function createBatchQueue(limits: { countMax: number; bytesMax: number }): BatchQueue {
  const batches: QueuedBatch[] = [];
  let size = 0;
  const shift = (): QueuedBatch => {
    const batch = batches.shift() as QueuedBatch;
    size -= batch.bytes.length;
    return batch;
  };
  return {
    get count() {
      return batches.length;
    },
    get size() {
      return size;
    },
    add(batch) {
      const dropped: QueuedBatch[] = [];
      batches.push(batch);
      size += batch.bytes.length;
      // A batch larger than the whole queue is still given its one chance to be sent.
      while (batches.length > 1 && (batches.length > limits.countMax || size > limits.bytesMax)) {
        dropped.push(shift());
      }
      return dropped;
    },
    first: () => batches[0],
    remove(batch) {
      if (batches[0] === batch) shift();
    },
  };
}
