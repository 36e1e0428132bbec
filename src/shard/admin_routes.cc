#include "shard/admin_routes.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/words.h"
#include "door/network.h"
#include "door/ticket.h"
#include "http/bytes.h"
#include "http/routes.h"
#include "http/target.h"
#include "shard/body_fields.h"

namespace stampede::shard {
namespace {

using http::Method;

constexpr std::string_view kGet = "GET, HEAD", kGetPut = "GET, HEAD, PUT", kPut = "PUT",
                           kPost = "POST", kGetPutDelete = "GET, HEAD, PUT, DELETE";

struct Resource {
  std::string_view first, second;  // segments of the path
  AdminKind get;
};
constexpr Resource kResources[] = {
    {"healthz", "", AdminKind::health},   {"readyz", "", AdminKind::readiness},
    {"metrics", "", AdminKind::metrics},  {"admin", "status", AdminKind::status},
    {"admin", "audit", AdminKind::audit}, {"admin", "limits", AdminKind::read_limits},
    {"admin", "turns", AdminKind::turns}, {"admin", "blocked", AdminKind::list_blocked}};

struct Action {
  std::string_view name;
  AdminKind post;
};
constexpr Action kActions[] = {{"pause", AdminKind::pause},
                               {"resume", AdminKind::resume},
                               {"end", AdminKind::end},
                               {"restock", AdminKind::restock}};

bool is_read(Method method) {
  return method == Method::get || method == Method::head;
}

void refuse(AdminRoute& route, Verdict verdict, std::string_view reason = {},
            std::string_view allow = {}) {
  route.refusal = verdict;
  route.reason = reason;
  route.allow = allow;
}

http::ItemCode parameter(std::string_view query, std::string_view name, AdminRoute& route) {
  http::Parameter found;
  const char* const fault = http::find_parameter(query, name, found);
  if (fault != nullptr || (found.is_present && found.value.empty()))
    refuse(route, Verdict::bad_request,
           "item and after take one item's code each, and come at most once");
  return found.value;
}

// Users stand in front of addresses.
void take_page(std::string_view query, AdminRoute& route) {
  http::Parameter user, address;
  if (http::find_parameter(query, "after_user", user) != nullptr ||
      http::find_parameter(query, "after_address", address) != nullptr ||
      (user.is_present && address.is_present))
    return refuse(route, Verdict::bad_request, "after_user or after_address comes at most once");
  route.subject.is_network = address.is_present;
  route.subject.text = address.is_present ? address.value.view() : user.value.view();
}

// As Prometheus writes a list: item=a&item=b.
void take_items(std::string_view query, AdminRoute& route) {
  while (!query.empty()) {
    const std::string_view one = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(one.size() + 1, query.size()));
    http::Parameter item;
    if (http::find_parameter(one, "item", item) != nullptr ||
        (item.is_present && item.value.empty()))
      return refuse(route, Verdict::bad_request, "each item is one item's code");
    if (item.is_present) route.items.push_back(item.value);
  }
  if (route.items.size() > bounds::metrics_items_max)
    refuse(route, Verdict::bad_request, "at most 100 items have samples of their own");
}

// Whether there is such a shard is not known here.
void take_shard(std::string_view query, AdminRoute& route) {
  http::Parameter shard;
  const char* const fault = http::find_parameter(query, "shard", shard);
  const std::string_view digits = shard.value.view();
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), route.shard);
  const bool is_number = error == std::errc() && end == digits.data() + digits.size();
  if (fault != nullptr || (shard.is_present && !is_number))
    refuse(route, Verdict::bad_request, "shard is the number of one shard");
}

void take_parameters(std::string_view query, AdminRoute& route) {
  if (route.kind == AdminKind::metrics) return take_items(query, route);
  if (route.kind == AdminKind::list_blocked) return take_page(query, route);
  if (route.kind == AdminKind::turns) return take_shard(query, route);
  if (route.kind != AdminKind::audit && route.kind != AdminKind::status) return;
  route.after = parameter(query, "after", route);
  if (route.kind == AdminKind::audit) route.item = parameter(query, "item", route);
  if (!route.item.empty() && !route.after.empty())
    refuse(route, Verdict::bad_request,
           "item names one item and after asks for those behind it: use one of them");
}

void route_resource(const Resource& resource, const http::Request& request, AdminRoute& route) {
  const bool has_put = resource.get == AdminKind::read_limits;
  if (is_read(request.method)) {
    route.kind = resource.get;
    take_parameters(request.query, route);
  } else if (has_put && request.method == Method::put) {
    route.kind = AdminKind::set_limits;
  } else {
    refuse(route, Verdict::method_not_allowed, {}, has_put ? kGetPut : kGet);
  }
}

void route_item(const http::Segments& segments, Method method, AdminRoute& route) {
  const bool has_action = segments.count() == 4;
  if (segments[2].size() > bounds::item_code_bytes_max)
    return refuse(route, has_action ? Verdict::unknown_item : Verdict::bad_request,
                  "an item's code has 1 to 64 characters");
  route.item = segments[2];
  if (!has_action) {
    route.kind = AdminKind::put_item;
    if (method != Method::put) refuse(route, Verdict::method_not_allowed, {}, kPut);
    return;
  }
  const auto action = std::ranges::find(kActions, segments[3], &Action::name);
  if (action == std::end(kActions)) return refuse(route, Verdict::not_found);
  route.kind = action->post;
  if (method != Method::post) refuse(route, Verdict::method_not_allowed, {}, kPost);
}

// Who is named: a user's id as a request has it, a network in whatever spelling.
bool take_subject(std::string_view kind, std::string_view who, AdminRoute& route) {
  route.subject.is_network = kind == "addresses";
  if (!route.subject.is_network) {
    route.subject.text = who;
    return door::is_user_id(who);
  }
  const std::optional<door::Network> network = door::parse_network(who);
  if (network) route.subject.text = door::text_of(*network);
  return network.has_value();
}

void route_blocked(const http::Segments& segments, const http::Request& request,
                   AdminRoute& route) {
  const Method method = request.method;
  if (segments.count() != 4 || (segments[2] != "users" && segments[2] != "addresses"))
    return refuse(route, Verdict::not_found);
  route.kind = method == Method::put   ? AdminKind::block
               : method == Method::del ? AdminKind::unblock
                                       : AdminKind::read_blocked;
  if (route.kind == AdminKind::read_blocked && !is_read(method))
    return refuse(route, Verdict::method_not_allowed, {}, kGetPutDelete);
  // Half of an id is another user's.
  if (request.query.data() != nullptr)
    return refuse(route, Verdict::bad_request,
                  "nothing is asked behind ? here; a ? within an id is %3F");
  if (!take_subject(segments[2], segments[3], route))
    refuse(route, Verdict::bad_request,
           "expected a user's id, or an IP or IP%2FLEN without bits behind it (IPv6: at most 64)");
}

void route_path(const http::Request& request, AdminRoute& route) {
  const http::Segments segments(request.path);
  if (segments.is_malformed()) return refuse(route, Verdict::bad_request, http::kBadEscape);
  const auto resource = std::ranges::find_if(kResources, [&](const Resource& one) {
    return segments.count() == (one.second.empty() ? 1 : 2) && segments[0] == one.first &&
           segments[1] == one.second;
  });
  if (resource != std::end(kResources)) return route_resource(*resource, request, route);
  if (segments.count() == 2 && segments[0] == "admin" && segments[1] == "reload") {
    route.kind = AdminKind::reload;
    if (request.method != Method::post) refuse(route, Verdict::method_not_allowed, {}, kPost);
    return;
  }
  if (segments.count() < 3 || segments[0] != "admin") return refuse(route, Verdict::not_found);
  if (segments[1] == "blocked") return route_blocked(segments, request, route);
  if (segments[1] != "items") return refuse(route, Verdict::not_found);
  route_item(segments, request.method, route);
}

// Kinds of changes to which a body has nothing to say.
bool takes_nothing(AdminKind kind) {
  return kind == AdminKind::reload || kind == AdminKind::block || kind == AdminKind::unblock ||
         kind == AdminKind::pause || kind == AdminKind::resume || kind == AdminKind::end;
}

// None, or {}: a misspelt wish, or one for another path, must not pause a sale.
bool says_nothing(std::string_view body) {
  if (body.empty()) return true;
  JsonText json(body, "body");
  std::vector<bool> seen;
  return bool(read_body(json, std::array<std::string_view, 0>{}, seen,
                        [](size_t, JsonText::Value) { return Refusal{}; }));
}

// A body in a content coding is not the JSON that a change is made of.
void judge_body(const http::Request& request, AdminRoute& route) {
  if (is_read(request.method) || route.refusal != Verdict::ok) return;
  if (request.has_content_coding)
    refuse(route, Verdict::unsupported_media_type, "a body comes without content coding");
  else if (takes_nothing(route.kind) && !says_nothing(request.body))
    refuse(route, Verdict::bad_request, "expected an empty object, {}, or no body");
}

Refusal read_op_id(JsonText::Value value, Text<bounds::op_id_bytes_max>& out) {
  std::string_view text;
  if (!read_text(value, text).empty() || text.empty() || text.size() > bounds::op_id_bytes_max ||
      !http::all_are(text, http::kVisible))
    return "expected 1 to 64 visible ASCII characters";
  out = text;
  return {};
}

Refusal read_delta(JsonText::Value value, int64_t& out) {
  constexpr int64_t most = bounds::stock_max;
  if (Refusal refusal = read_integer(value, -most, most, out); !refusal.empty()) return refusal;
  return out == 0 ? "0 changes nothing" : Refusal{};
}

}  // namespace

AdminRoute route_admin(const http::Request& request) {
  AdminRoute route;
  if (http::asks_for_server(request)) {
    route.kind = AdminKind::describe_server;
    return route;
  }
  route_path(request, route);
  judge_body(request, route);
  return route;
}

Result<Restock> parse_restock(std::string_view body) {
  constexpr std::array<std::string_view, 2> kNames = {"op_id", "delta"};
  JsonText json(body, "body");
  Restock restock;
  std::vector<bool> seen;
  const Status status = read_body(json, kNames, seen, [&](size_t field, JsonText::Value value) {
    return field == 0 ? read_op_id(value, restock.op_id) : read_delta(value, restock.delta);
  });
  if (!status) return status.error();
  for (size_t field = 0; field < kNames.size(); ++field)
    if (!seen[field]) return json.error(json.begin(), kNames[field], "is required");
  return restock;
}

Result<Supplied> restocked(Supplied now, int64_t delta) {
  const Units total = now.supplied - now.withdrawn;
  if (delta > 0) {
    const Units units = static_cast<Units>(delta);
    if (units > bounds::stock_max - total)
      return Error{"the item has " + counted(total, "unit") + " and may have " +
                   std::to_string(bounds::stock_max) + " at most"};
    return Supplied{now.supplied + units, now.withdrawn};
  }
  const Units units = 0 - static_cast<Units>(delta);
  if (units > total)
    return Error{"the item has " + counted(total, "unit") + ", fewer than are to be withdrawn"};
  return Supplied{now.supplied, now.withdrawn + units};
}

}  // namespace stampede::shard
