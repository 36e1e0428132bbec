#include "http/routes.h"

#include <algorithm>
#include <charconv>

#include "http/bytes.h"
#include "http/fields.h"
#include "http/target.h"

namespace stampede::http {
namespace {

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
  if (segments.count() < 2 || segments[0] != "v1") return nullptr;
  for (const Resource& resource : kResources) {
    if (resource.segment_count == segments.count() && resource.collection == segments[1] &&
        (segments.count() < 4 || resource.action == segments[3])) {
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
  if (segments.count() < 3) return true;
  return segments[1] == "orders" ? take_order_id(segments[2], route)
                                 : take_item_code(segments[2], route);
}

bool take_parameter(std::string_view query, std::string_view name, Parameter& found, Route& route) {
  const char* const fault = find_parameter(query, name, found);
  return fault == nullptr || refuse(route, Verdict::bad_request, fault);
}

bool take_wait(std::string_view digits, Route& route) {
  const bool is_number = !digits.empty() && digits.size() <= 5 && all_are(digits, kDigit);
  if (is_number) std::from_chars(digits.data(), digits.data() + digits.size(), route.wait_ms);
  if (is_number && route.wait_ms <= bounds::wait_ms_max) return true;
  return refuse(route, Verdict::bad_request, "wait_ms is not an integer from 0 to 30000");
}

bool take_query(std::string_view query, Route& route) {
  Parameter parameter;
  switch (route.kind) {
    case RouteKind::read_order:
      return take_parameter(query, "wait_ms", parameter, route) &&
             (!parameter.is_present || take_wait(parameter.value, route));
    case RouteKind::list_items:
      return take_parameter(query, "after", parameter, route) &&
             (!parameter.is_present || take_item_code(parameter.value, route));
    case RouteKind::list_orders:
      if (!take_parameter(query, "item", parameter, route)) return false;
      if (!parameter.is_present)
        return refuse(route, Verdict::bad_request, "the parameter item is missing");
      return take_item_code(parameter.value, route);
    default:
      return true;
  }
}

// What `curl -d` says when nobody tells it otherwise counts as unsaid: the body is read as JSON all
// the same, and no page of a browser can send a user's identity with it.
bool may_be_json(std::string_view content_type) {
  constexpr std::string_view form = "application/x-www-form-urlencoded";
  return content_type.empty() || is_json(content_type) ||
         equals_ignoring_case(trim_spaces(content_type.substr(0, content_type.find(';'))), form);
}

bool take_body(const Request& request, Route& route) {
  if (route.kind != RouteKind::create_order && route.kind != RouteKind::pay_order) return true;
  if (!request.has_body) return refuse(route, Verdict::length_required);
  if (request.has_content_coding)
    return refuse(route, Verdict::unsupported_media_type, "a body comes without content coding");
  if (!may_be_json(request.content_type)) return refuse(route, Verdict::unsupported_media_type);
  return true;
}

}  // namespace

std::string_view methods_of(std::string_view path) {
  const Segments segments(path);
  const Resource* const resource = find_resource(segments);
  return resource == nullptr ? std::string_view{} : allow_of(*resource);
}

Route route(const Request& request) {
  Route route;
  if (asks_for_server(request)) {
    route.kind = RouteKind::describe_server;
    return route;
  }
  if (request.method == Method::post && request.path == kOrdersPath) {
    route.kind = RouteKind::create_order;
    take_body(request, route);
    return route;
  }
  const Segments segments(request.path);
  const Resource* const resource = find_resource(segments);
  if (!resource) {
    if (segments.is_malformed())
      refuse(route, Verdict::bad_request, kBadEscape);
    else
      refuse(route, Verdict::not_found);
    return route;
  }
  if (!take_method(*resource, request.method, route)) return route;
  if (take_name(segments, route) && take_query(request.query, route)) take_body(request, route);
  return route;
}

}  // namespace stampede::http
