/** Several things at a time. */

/**
 * Calls `action` for each, `most` at a time, and begins no more when one has failed. Rejects with the first failure, when
 * nothing runs any more.
 * @param onFailure ends the others
 */
export async function eachAtOnce<T>(
  things: Iterable<T>,
  most: number,
  action: (thing: T) => Promise<void>,
  onFailure: (error: unknown) => void,
): Promise<void> {
  const queue = [...things].values();
  const failures: unknown[] = [];
  const work = async () => {
    for (const thing of queue) {
      if (failures.length > 0) return;
      try {
        await action(thing);
      } catch (error) {
        failures.push(error);
        onFailure(error);
      }
    }
  };
  await Promise.all(Array.from({ length: most }, work));
  if (failures.length > 0) throw failures[0];
}
