"use strict";

// What goes wrong in the library. `code` is the name of the status: "not_found", "bad_file", "context_full", ... What an
// AbortSignal stopped has the code "cancelled", the name "AbortError" and the signal's reason as its cause.
class LoquorError extends Error {
  constructor(code, message, options) {
    super(message, options);
    this.code = code;
  }
}
Object.defineProperty(LoquorError.prototype, "name", { value: "LoquorError", writable: true, configurable: true });

function invalid(message) {
  return new LoquorError("invalid_argument", message);
}

function aborted(signal) {
  const error = new LoquorError("cancelled", "the operation was aborted", { cause: signal.reason });
  error.name = "AbortError";
  return error;
}

module.exports = { LoquorError, invalid, aborted };
