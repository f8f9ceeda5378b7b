-- Shapes of Lua values: what a table must hold, checked, listed and written down as editor annotations.
return {
  t = require("lshape.t"),
  check = require("lshape.check"),
  reflect = require("lshape.reflect"),
  luacats = require("lshape.luacats"),
}
