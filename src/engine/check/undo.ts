/** Files of containers that were being kept, or given back, when somebody was killed. */
import type { Engine } from "../engine.ts";
import { isUndoUnsettled, settleUndo } from "../undo.ts";
import { type Finding, subjectOf, unlessLocked } from "./finding.ts";

export function checkUndo(engine: Engine): Finding[] {
  return engine.containers.list().flatMap((record): Finding[] => {
    const { id } = record;
    const isUnsettled = () => isUndoUnsettled(engine, record);
    if (!isUnsettled() || unlessLocked(engine, id, isUnsettled) !== true) return [];
    const mend = () => {
      unlessLocked(engine, id, () => settleUndo(engine, record));
      return "what was kept before is as it was, an undo is ended";
    };
    return [
      { subject: subjectOf(record), problem: "had its files kept or given back when that was cut off", mend },
    ];
  });
}
