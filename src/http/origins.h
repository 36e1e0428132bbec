// Which pages may call the public API from a browser (`--allow-origin`), and what is said to them: the Fetch standard's
// protocol for requests from other origins (https://fetch.spec.whatwg.org/#http-cors-protocol).
//
// Without the flag no answer has a header of it, so a browser shows answers to our own pages only. With it each answer has
// `Vary: Origin`, for a cache must not give one page the answer for another, and the answer to a page of a listed origin
// also says that it may be read. No cookies are let through: a page shows a ticket, in Authorization.
//
// The lines are made once; an answer carries the number of its origin, and nothing is allocated. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bounds.h"

namespace stampede::http {

class Origins {
 public:
  using Number = uint8_t;

  Origins() = default;  // none
  // Each is `https://shop.example`, as a browser spells it, or the only one is `*`: every page. The error says what is wrong.
  [[nodiscard]] static Result<Origins> make(const std::vector<std::string>& origins);

  // Of the request's Origin; 0: not listed, or none.
  Number find(std::string_view origin) const;
  // What each answer to it says, each line with its CRLF; at most bounds::origin_lines_bytes_max.
  std::string_view lines_for(Number number) const {
    return lines_.empty() ? std::string_view{} : std::string_view(lines_[number]);
  }

 private:
  std::vector<std::string> origins_;
  std::vector<std::string> lines_;  // by number
};

// What a browser asks for before it sends a request of another origin that is no plain form, with the methods of the path.
[[nodiscard]] std::string preflight_lines(std::string_view methods);

}  // namespace stampede::http
