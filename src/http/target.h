// A target's path and query as what they mean: the segments of a path and the parameters of a query, percent-decoded
// (RFC 3986 2.1, 6.2.2.2). Both listeners read their targets with these.
//
// A path is cut at its slashes first and decoded then: a "%2F" is a byte of a segment and never a separator. Dots are
// not resolved: a client does that before it sends (RFC 3986 5.2.4), and "." and ".." name nothing here.
//
// Pure: no system call, no clock, no allocation, any thread.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "base/text.h"
#include "bounds.h"

namespace stampede::http {

// What a crowd asks for: it is known as a whole, before it is cut into segments.
constexpr std::string_view kOrdersPath = "/v1/orders";

// "/v1/orders/17/cancel" is {"v1", "orders", "17", "cancel"}. Views point into the path or into this object.
class Segments {
 public:
  static constexpr unsigned kCountMax = 4;

  explicit Segments(std::string_view path);
  Segments(const Segments&) = delete;
  Segments& operator=(const Segments&) = delete;

  unsigned count() const { return count_; }  // 0: no path, or more segments than any of ours has
  std::string_view operator[](unsigned index) const { return texts_[index]; }
  // "%" without two hexadecimal digits behind it; there are no segments then.
  bool is_malformed() const { return is_malformed_; }

 private:
  std::array<std::string_view, kCountMax> texts_;
  unsigned count_ = 0;
  bool is_malformed_ = false;
  // Of bytes that were percent-encoded. A segment that needs more is no name that we know, and stays as it came.
  std::array<std::array<char, bounds::item_code_bytes_max>, kCountMax> decoded_;
};

constexpr const char* kBadEscape = "a % in the path is not followed by two hexadecimal digits";

// A parameter of a query in the form that forms have (application/x-www-form-urlencoded), decoded.
struct Parameter {
  bool is_present = false;
  Text<bounds::item_code_bytes_max> value;
};

// Null and the parameter, if the query has it; otherwise why the query is refused, a sentence for the client. A
// parameter comes at most once; others are ignored, whatever they are.
[[nodiscard]] const char* find_parameter(std::string_view query, std::string_view name,
                                         Parameter& found);

}  // namespace stampede::http
