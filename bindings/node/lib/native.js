"use strict";
// The addon: the one LOQUOR_ADDON names, the one that came with the package, or the one that scripts/build.js made.
const fs = require("node:fs");
const path = require("node:path");
const { LoquorError } = require("./errors.js");

const root = path.join(__dirname, "..");
const places = [
  process.env.LOQUOR_ADDON,
  path.join(root, "prebuilds", `${process.platform}-${process.arch}`, "loquor.node"),
  path.join(root, "build", "loquor.node"),
].filter(Boolean);
const found = places.find((place) => fs.existsSync(place));
if (!found) throw new Error(`loquor: there is no addon at ${places.join(", ")}; run node scripts/build.js`);

const native = require(path.resolve(found));
native.setErrorClass(LoquorError);
module.exports = native;
