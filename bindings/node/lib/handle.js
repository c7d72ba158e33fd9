"use strict";
const native = require("./native.js");
const { invalid } = require("./errors.js");

// What holds something of the library: freed by the garbage collector, or at once by close().
class Handle {
  #value;
  #name;

  constructor(name, value) {
    this.#name = name;
    this.#value = value;
  }

  static of(object, Class) {
    if (!(object instanceof Class)) throw invalid(`expected a ${Class.name}`);
    return object._get();
  }

  _get() {
    if (this.#value === undefined) throw invalid(`the ${this.#name} is closed`);
    return this.#value;
  }

  get closed() {
    return this.#value === undefined;
  }

  close() {
    if (this.#value !== undefined) native.close(this.#value);
    this.#value = undefined;
  }
}
if (Symbol.dispose) {
  Handle.prototype[Symbol.dispose] = function dispose() {
    this.close();
  };
}

module.exports = { Handle };
