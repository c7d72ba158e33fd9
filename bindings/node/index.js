"use strict";
// Loquor for Node: language models inside your own program. A layer over the C interface (loquor.h), whose comments say
// what each call does and may go wrong. index.d.ts lists everything with its types.
const { LoquorError } = require("./lib/errors.js");
const { Context, Model, Embedder, Adapter, load } = require("./lib/model.js");
const { Session } = require("./lib/session.js");
const native = require("./lib/native.js");

module.exports = { load, Model, Session, Context, Embedder, Adapter, LoquorError, version: native.version };
