#include "http/origins.h"

#include <algorithm>

#include "base/check.h"
#include "http/bytes.h"
#include "http/names.h"

namespace stampede::http {
namespace {

constexpr std::string_view kAny = "*";
constexpr std::string_view kExposed = "Access-Control-Expose-Headers: ETag, Retry-After\r\n";
constexpr std::string_view kAskedHeaders =
    "Authorization, Content-Type, Idempotency-Key, If-None-Match, Stampede-Proof";
constexpr std::string_view kMaxAgeS = "3600";

// What is in front of the host, or nothing.
std::string_view scheme_of(std::string_view origin) {
  for (const std::string_view scheme : {"https://", "http://"})
    if (origin.starts_with(scheme)) return scheme;
  return {};
}

// As the Origin header of a browser says it: in small letters, without the scheme's own port and without a path.
bool is_spelt_as_browsers_do(std::string_view origin) {
  const std::string_view scheme = scheme_of(origin);
  if (scheme.empty() || origin.size() > bounds::origin_bytes_max) return false;
  const std::string_view authority = origin.substr(scheme.size());
  const bool has_own_port = authority.ends_with(scheme == "https://" ? ":443" : ":80");
  const bool is_small =
      std::ranges::none_of(authority, [](char c) { return c >= 'A' && c <= 'Z'; });
  return is_small && !has_own_port && !authority.empty() && all_are(authority, kAuthority) &&
         is_authority(authority) && !host_of(authority).empty();
}

}  // namespace

Result<Origins> Origins::make(const std::vector<std::string>& origins) {
  Origins made;
  if (origins.empty()) return made;
  if (origins.size() > bounds::origins_max)
    return Error{"more than " + std::to_string(bounds::origins_max) + " origins"};
  made.lines_.push_back(origins[0] == kAny ? "" : "Vary: Origin\r\n");
  for (const std::string& origin : origins) {
    if (origin == kAny && origins.size() > 1)
      return Error{"* stands for every origin: give it alone"};
    if (origin != kAny && !is_spelt_as_browsers_do(origin))
      return Error{origin +
                   ": expected an origin as browsers spell it, such as https://shop.example"};
    made.origins_.push_back(origin);
    made.lines_.push_back(made.lines_[0] + "Access-Control-Allow-Origin: " + origin + "\r\n" +
                          std::string(kExposed));
    CHECK(made.lines_.back().size() <= bounds::origin_lines_bytes_max);
  }
  return made;
}

Origins::Number Origins::find(std::string_view origin) const {
  if (origin.empty()) return 0;
  for (size_t i = 0; i < origins_.size(); ++i)
    if (origins_[i] == origin || origins_[i] == kAny) return static_cast<Number>(i + 1);
  return 0;
}

std::string preflight_lines(std::string_view methods) {
  std::string lines = "Access-Control-Allow-Methods: ";
  lines.append(methods).append("\r\nAccess-Control-Allow-Headers: ").append(kAskedHeaders);
  return lines.append("\r\nAccess-Control-Max-Age: ").append(kMaxAgeS).append("\r\n");
}

}  // namespace stampede::http
