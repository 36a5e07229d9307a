/** Asks many workers for work that keeps a core busy: a few at a time, so that each is quick. */

/*
 * More of them at a time than there are cores are not done earlier, all of them only take longer,
 * and an answer that takes too long counts as a hang.
 */
const WIDTH = 6;

/** Does `work` for every item, some at a time, in the order of the items. */
export async function inTurns<T>(
  items: Iterable<T>,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const next = items[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (let item = next.next(); item.done !== true; item = next.next()) await work(item.value);
  };
  await Promise.all(Array.from({ length: WIDTH }, worker));
}
