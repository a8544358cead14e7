/** What is wrong with a template, in Go's words. */
import { BockerError } from "../../base/errors.ts";

/** A text that is no template. */
export function templateError(message: string): BockerError {
  return new BockerError("invalid", `template parsing error: template: :1: ${message}`);
}

/** A template that the data is not for. */
export function executionError(message: string): BockerError {
  return new BockerError("invalid", `template: :1: executing "" at ${message}`);
}
