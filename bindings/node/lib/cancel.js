"use strict";
const native = require("./native.js");
const { aborted } = require("./errors.js");

// Runs work(cancel handle or undefined) so that an AbortSignal stops it, within a token or 20 ms.
async function abortable(signal, work) {
  if (!signal) return work(undefined);
  const watch = new Watch(signal);
  try {
    return await work(watch.handle);
  } catch (error) {
    throw watch.translate(error);
  } finally {
    watch.end();
  }
}

class Watch {
  constructor(signal) {
    this.signal = signal;
    this.handle = native.cancel();
    this.listener = () => native.trigger(this.handle);
    if (signal.aborted) this.listener();
    signal.addEventListener("abort", this.listener);
  }

  translate(error) {
    return error && error.code === "cancelled" && this.signal.aborted ? aborted(this.signal) : error;
  }

  end() {
    this.signal.removeEventListener("abort", this.listener);
  }
}

module.exports = { abortable, Watch };
