#include "http/own_hosts.h"

#include <algorithm>

#include "http/bytes.h"
#include "http/fields.h"
#include "http/names.h"

namespace stampede::http {
namespace {

bool is_address(std::string_view host) {
  return host.starts_with('[') || host.find_first_not_of("0123456789.") == host.npos;
}

bool is_named(std::string_view host, const OwnHosts& own) {
  return std::ranges::any_of(
      own.names, [host](const std::string& name) { return equals_ignoring_case(host, name); });
}

bool is_own(std::string_view host, const OwnHosts& own) {
  if (own.is_unix || is_named(host, own)) return true;
  if (own.is_loopback && equals_ignoring_case(host, "localhost")) return true;
  return own.has_any_address ? is_address(host) || equals_ignoring_case(host, "localhost")
                             : equals_ignoring_case(host, own.address);
}

// An origin is ours when it is the one that the request was sent to, or a proxy of ours that has a name.
bool is_own_origin(std::string_view origin, const Request& request, const OwnHosts& own) {
  const size_t scheme_end = origin.find("://");
  if (scheme_end == origin.npos) return false;  // "null"
  const std::string_view authority = origin.substr(scheme_end + 3);
  return is_named(host_of(authority), own) || (!authority.empty() && authority == request.host);
}

bool may_change(Method method) {
  return method != Method::get && method != Method::head && method != Method::options;
}

}  // namespace

const char* foreign_reason(const Request& request, const OwnHosts& own) {
  // A health check may have no Host; a change must say where it was sent.
  const bool has_right_host =
      request.host.empty() ? !may_change(request.method) : is_own(host_of(request.host), own);
  if (!has_right_host) return "Host is neither an address of this listener nor one of --admin-host";
  if (!request.origin.empty() && !is_own_origin(request.origin, request, own))
    return "pages of another origin may ask nothing here";
  const bool says_something = !request.body.empty() || !request.content_type.empty();
  if (may_change(request.method) && says_something && !is_json(request.content_type))
    return "the body of a change is application/json";
  return nullptr;
}

}  // namespace stampede::http
