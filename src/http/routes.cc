#include "http/routes.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "http/bytes.h"

namespace stampede::http {
namespace {

constexpr unsigned kSegmentsMax = 4;

// A path as its segments: "/v1/orders/17/cancel" is {"v1", "orders", "17", "cancel"}.
struct Segments {
  std::array<std::string_view, kSegmentsMax> texts;
  unsigned count = 0;  // 0: it is none of ours
};

Segments split(std::string_view path) {
  Segments segments;
  while (path.starts_with('/')) {
    if (segments.count == kSegmentsMax) return {};
    path.remove_prefix(1);
    const size_t end = std::min(path.find('/'), path.size());
    segments.texts[segments.count++] = path.substr(0, end);
    path.remove_prefix(end);
  }
  return segments;
}

// What may be done at one kind of path.
struct Resource {
  std::string_view collection;  // the second segment
  unsigned segment_count;
  std::string_view action;  // the fourth segment
  bool has_get;
  RouteKind get;
  bool has_post;
  RouteKind post;
};

constexpr RouteKind kNone = RouteKind::read_time;
constexpr Resource kResources[] = {
    {"orders", 2, "", true, RouteKind::list_orders, true, RouteKind::create_order},
    {"orders", 3, "", true, RouteKind::read_order, false, kNone},
    {"orders", 4, "cancel", false, kNone, true, RouteKind::cancel_order},
    {"orders", 4, "payment", false, kNone, true, RouteKind::pay_order},
    {"items", 2, "", true, RouteKind::list_items, false, kNone},
    {"items", 3, "", true, RouteKind::read_item, false, kNone},
    {"items", 4, "stock", true, RouteKind::read_stock, false, kNone},
    {"items", 4, "link", false, kNone, true, RouteKind::make_link},
    {"time", 2, "", true, RouteKind::read_time, false, kNone},
};

const Resource* find_resource(const Segments& segments) {
  if (segments.count < 2 || segments.texts[0] != "v1") return nullptr;
  for (const Resource& resource : kResources) {
    if (resource.segment_count == segments.count && resource.collection == segments.texts[1] &&
        (segments.count < 4 || resource.action == segments.texts[3])) {
      return &resource;
    }
  }
  return nullptr;
}

std::string_view allow_of(const Resource& resource) {
  if (!resource.has_get) return "POST";
  return resource.has_post ? "GET, HEAD, POST" : "GET, HEAD";
}

bool refuse(Route& route, Verdict verdict, const char* reason = nullptr,
            std::string_view allow = {}) {
  route.is_refused = true;
  route.refusal = {.verdict = verdict, .reason = reason, .allow = allow};
  return false;
}

bool take_method(const Resource& resource, Method method, Route& route) {
  route.is_head = method == Method::head;
  const bool is_read = method == Method::get || method == Method::head;
  if (is_read ? !resource.has_get : method != Method::post || !resource.has_post) {
    return refuse(route, Verdict::method_not_allowed, nullptr, allow_of(resource));
  }
  route.kind = is_read ? resource.get : resource.post;
  return true;
}

// Exactly 16 lower-case hex digits: one order has one name.
bool take_order_id(std::string_view text, Route& route) {
  if (text.size() != 16 || !all_are(text, kLowerHex)) return refuse(route, Verdict::unknown_order);
  std::from_chars(text.data(), text.data() + text.size(), route.order_id.value, 16);
  return true;
}

// Whether the catalog knows it is decided by whoever has the catalog.
bool take_item_code(std::string_view text, Route& route) {
  if (text.empty() || text.size() > bounds::item_code_bytes_max)
    return refuse(route, Verdict::unknown_item);
  route.item_code = ItemCode(text);
  return true;
}

bool take_name(const Segments& segments, Route& route) {
  if (segments.count < 3) return true;
  return segments.texts[1] == "orders" ? take_order_id(segments.texts[2], route)
                                       : take_item_code(segments.texts[2], route);
}

// The value of a query parameter, decoded.
struct Parameter {
  bool is_present = false;
  Text<bounds::item_code_bytes_max> value;
};

// application/x-www-form-urlencoded: "%41" and "+". False: malformed, or too long for any parameter
// that we know.
bool decode(std::string_view text, Parameter& parameter) {
  char decoded[bounds::item_code_bytes_max];
  size_t size = 0;
  for (; !text.empty(); text.remove_prefix(1)) {
    if (size == sizeof decoded) return false;
    char byte = text[0] == '+' ? ' ' : text[0];
    if (byte == '%') {
      unsigned value = 0;
      if (text.size() < 3 || !is_a(text[1], kHex) || !is_a(text[2], kHex)) return false;
      std::from_chars(text.data() + 1, text.data() + 3, value, 16);
      byte = static_cast<char>(value);
      text.remove_prefix(2);
    }
    decoded[size++] = byte;
  }
  parameter = {true, std::string_view(decoded, size)};
  return true;
}

// A parameter that we know comes at most once; those that we do not know are ignored.
bool find_parameter(std::string_view query, std::string_view name, Parameter& found, Route& route) {
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const size_t name_end = std::min(pair.find('='), pair.size());
    if (pair.substr(0, name_end) != name) continue;
    if (found.is_present) return refuse(route, Verdict::bad_request, "a parameter came twice");
    if (!decode(pair.substr(std::min(name_end + 1, pair.size())), found)) {
      return refuse(route, Verdict::bad_request, "a parameter is malformed or too long");
    }
  }
  return true;
}

bool take_wait(std::string_view digits, Route& route) {
  const bool is_number = !digits.empty() && digits.size() <= 5 && all_are(digits, kDigit);
  if (is_number) std::from_chars(digits.data(), digits.data() + digits.size(), route.wait_ms);
  if (is_number && route.wait_ms <= bounds::wait_ms_max) return true;
  return refuse(route, Verdict::bad_request, "wait_ms is not an integer from 0 to 30000");
}

bool take_query(std::string_view query, Route& route) {
  Parameter parameter;
  if (route.kind == RouteKind::read_order) {
    return find_parameter(query, "wait_ms", parameter, route) &&
           (!parameter.is_present || take_wait(parameter.value, route));
  }
  if (route.kind != RouteKind::list_orders) return true;
  if (!find_parameter(query, "item", parameter, route)) return false;
  if (!parameter.is_present)
    return refuse(route, Verdict::bad_request, "the parameter item is missing");
  return take_item_code(parameter.value, route);
}

// What `curl -d` says when nobody tells it otherwise counts as unsaid: the body is read as JSON all
// the same, and no page of a browser can send a user's identity with it.
bool is_json(std::string_view content_type) {
  const std::string_view type = trim_spaces(content_type.substr(0, content_type.find(';')));
  return equals_ignoring_case(type, "application/json") ||
         equals_ignoring_case(type, "application/x-www-form-urlencoded");
}

bool take_body(const Request& request, Route& route) {
  if (route.kind != RouteKind::create_order && route.kind != RouteKind::pay_order) return true;
  if (!request.has_body) return refuse(route, Verdict::length_required);
  if (!request.content_type.empty() && !is_json(request.content_type)) {
    return refuse(route, Verdict::unsupported_media_type);
  }
  return true;
}

}  // namespace

Route route(const Request& request) {
  Route route;
  const Segments segments = split(request.path);
  const Resource* const resource = find_resource(segments);
  if (!resource) {
    refuse(route, Verdict::not_found);
    return route;
  }
  if (!take_method(*resource, request.method, route)) return route;
  if (take_name(segments, route) && take_query(request.query, route)) take_body(request, route);
  return route;
}

bool is_user_id(std::string_view text) {
  return !text.empty() && text.size() <= bounds::user_bytes_max && all_are(text, kVisible);
}

bool is_idempotency_key(std::string_view text) {
  return !text.empty() && text.size() <= bounds::key_bytes_max && all_are(text, kVisible);
}

}  // namespace stampede::http
