/** What a Go struct has and JSON leaves out or calls otherwise: zero values and names that templates may ask for. */

/** Nil lists and maps are empty ones, but null in JSON; maps have no prototype (render.ts). */
export const NIL_SLICE: readonly unknown[] = Object.freeze([]);
export const NIL_MAP: object = Object.freeze(Object.create(null));

class NilPointer {
  /** As fmt prints it with %v. */
  toString(): string {
    return "<nil>";
  }
}
export const NIL_POINTER = new NilPointer();

/** A field that Go calls otherwise than JSON: templates may say either, `json` says its own. */
class SameAs {
  readonly field: string;

  constructor(field: string) {
    this.field = field;
  }
}
export const sameAs = (field: string): object => new SameAs(field);

/** A nil pointer, unless the document has the struct that it leads to. */
class PointerTo {
  readonly zeros: Zeros;

  constructor(zeros: Zeros) {
    this.zeros = zeros;
  }
}
export const pointerTo = (zeros: Zeros): object => new PointerTo(zeros);

const NILS = new Set<unknown>([NIL_SLICE, NIL_MAP, NIL_POINTER]);
export const isNil = (value: unknown): boolean => NILS.has(value);

/** Zero values by field; an object that is no nil is a struct. */
export interface Zeros {
  readonly [field: string]: string | number | boolean | object;
}

const isStruct = (zero: Zeros[string]): zero is Zeros =>
  typeof zero === "object" && !isNil(zero) && !(zero instanceof SameAs) && !(zero instanceof PointerTo);

/**
 * A document as the struct that it is: with what it leaves out, which `json` leaves out, too, and with maps that may be asked for any
 * key.
 */
export function withZeros(document: object, zeros: Zeros): Record<string, unknown> {
  const whole: Record<string, unknown> = { ...document };
  for (const [name, zero] of Object.entries(zeros)) {
    const value = whole[name];
    if (zero instanceof SameAs) Object.defineProperty(whole, name, { value: whole[zero.field] });
    else if (value === undefined || value === null) {
      const filled = isStruct(zero) ? withZeros({}, zero) : zero instanceof PointerTo ? NIL_POINTER : zero;
      Object.defineProperty(whole, name, { value: filled, enumerable: value === null });
    } else if (zero instanceof PointerTo) whole[name] = withZeros(value, zero.zeros);
    else if (isStruct(zero)) whole[name] = withZeros(value, zero);
    else if (zero === NIL_MAP) whole[name] = Object.assign(Object.create(null), value);
  }
  return whole;
}
