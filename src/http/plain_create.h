// The body of a new order as nearly every client writes it, read in one pass: its known members in any order, texts of
// ASCII without escapes, no white space but a blank behind a colon or a comma.
//
// It refuses nothing: whatever is not of this form is left to the strict reader (json_reader.h), and what is of this form
// says the same to both. Some 150 instructions, where the strict reader takes a thousand.
//
// Pure: no system call, no clock, no allocation, any thread.
#pragma once

#include <string_view>

#include "http/json.h"

namespace stampede::http {

// True: `create` holds what the body says, views of `body`, and no error. False: it has to be read by the strict reader, and
// `create` is undefined.
[[nodiscard]] bool read_plain_create(std::string_view body, CreateBody& create);

}  // namespace stampede::http
