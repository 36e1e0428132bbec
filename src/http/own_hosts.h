// Which requests may come to the operators' listener by their Host and Origin.
//
// A browser on an operator's machine reaches a loopback listener for any page that it shows. Two signs betray such a
// page: its Origin, which a script cannot leave out of a changing request, and, where its own name was made to resolve
// to our address (DNS rebinding), its Host. Bodies that a form can send without being asked are no sign but a way, so
// a change takes JSON only.
//
// Pure: no system call, no clock, no allocation after construction, any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "http/parser.h"

namespace stampede::http {

struct OwnHosts {
  std::vector<std::string> names;  // of --admin-host, in lower case, without ports
  std::string address;             // of the listener, as it stands in a URL: "127.0.0.1", "[::1]"
  bool is_loopback = false;        // then "localhost" is its name too
  bool has_any_address = false;    // it listens on all of the machine's, whichever a client took
  bool is_unix = false;            // no page reaches it, and what a client calls it means nothing
};

// Null, or why the request is foreign: a sentence for the client. A request without Host, or with an empty one, is no
// browser's.
[[nodiscard]] const char* foreign_reason(const Request& request, const OwnHosts& own);

}  // namespace stampede::http
