#include "inputs.h"

#include <fstream>

#include "world_terms.h"

namespace stampede::sim {
namespace {

std::string item_json(const Plan& plan, uint32_t item, const Inputs& inputs) {
  return "{\"code\":\"" + item_code(item) + "\",\"stock\":" + std::to_string(plan.stock) + "," +
         terms_members(plan, item, "edition " + std::to_string(inputs.edition), plan.pay_window_s) +
         "}";
}

// What is not for everybody, or not now. Its orders are strangers', and nobody waits for it to be sold.
constexpr const char* kExtras = R"(,
{"code":"members","stock":5,"enrolled":"members.txt","pay_window_s":5,"ends_at":"2027-01-17T00:00:00Z"},
{"product":"4711","stock":5,"pay_window_s":5,"ends_at":"2027-01-17T08:00:00.5+08:00"},
{"code":"proven","stock":5,"hidden_link":true,"proof":true,"ends_at":"2027-01-17T00:00:00Z"},
{"code":"later","stock":5,"starts_at":"2090-01-01t00:00:00-05:30","ends_at":"2091-01-01T00:00:00Z"},
{"code":"over","stock":5,"starts_at":"2001-01-01T00:00:00Z","ends_at":"2001-02-01T00:00:00Z"},
{"code":"slow","stock":40,"order_rate":2,"pay_window_s":5,"ends_at":"2027-01-17T00:00:00.25Z"})";

std::string hex_of(uint8_t first) {
  constexpr char kDigits[] = "0123456789abcdef";
  return std::string{kDigits[first >> 4], kDigits[first & 15]} + std::string(62, '0');
}

std::string kind_json(const char* kind, const char* id, uint8_t secret) {
  return std::string("\"") + kind + "\":{\"" + id + "\":\"" + hex_of(secret) + "\"}";
}

}  // namespace

Result<std::vector<stock::CatalogEntry>> read_catalog(const Plan& plan, const Inputs& inputs) {
  std::string text = "{\"items\":[";
  for (uint32_t i = 0; i < plan.items; ++i)
    text += (i > 0 ? ",\n" : "") + item_json(plan, i, inputs);
  if (plan.has_extras) text += kExtras;
  return stock::parse_catalog(text + "]}", "catalog.json");
}

Result<shard::SharedKeys> read_keys(const Inputs& inputs) {
  const std::string leaked = inputs.has_leaked_key ? ",\"" + std::string(kLeakedKey) + "\":\"" +
                                                         hex_of(kLeakedSecret) + "\""
                                                   : "";
  const std::string text = "{\"payments\":{\"k1\":\"" + hex_of(kPaymentSecret) + "\"" + leaked +
                           "},\n " + kind_json("tickets", "t1", kTicketSecret) + ",\n " +
                           kind_json("links", "l1", kLinkSecret) + ",\n " +
                           kind_json("proofs", "p1", kProofSecret) + ",\n " +
                           kind_json("codes", "c1", kCodeSecret) + (inputs.is_broken ? "" : "}\n");
  Result<door::Keys> keys = door::parse_keys(text, "keys.json");
  if (!keys) return keys.error();
  return shard::SharedKeys(std::make_shared<const door::Keys>(std::move(*keys)));
}

Result<door::SharedOperators> read_operators(const Plan& plan) {
  if (!plan.has(Mishap::reloads)) return door::SharedOperators();
  const std::string text =
      "# who may operate\n\nalice  " + operator_token() + "\nbob " + std::string(40, 'b') + "\n";
  Result<door::Operators> parsed = door::Operators::parse(text, "tokens");
  if (!parsed) return parsed.error();
  return door::SharedOperators(std::make_shared<const door::Operators>(std::move(*parsed)));
}

Result<door::SharedBlockList> read_blocked(const Plan& plan) {
  if (!plan.has(Mishap::blocks)) return door::SharedBlockList();
  Result<door::BlockList> parsed = door::parse_block_list(blocked_text(), "blocked", 7);
  if (!parsed) return parsed.error();
  return door::SharedBlockList(std::make_shared<const door::BlockList>(std::move(*parsed)));
}

shard::Reload read_again(const Plan& plan, const Inputs& inputs, uint64_t asked) {
  shard::Reload reload{.asked = asked, .what = "everything"};
  const Result<shard::SharedKeys> keys = read_keys(inputs);
  if (!keys) {
    reload.problem = keys.error().message;
    return reload;
  }
  reload.keys = *keys;
  reload.operators = *read_operators(plan);
  reload.change_rules = [blocked = *read_blocked(plan)](door::Rules& rules) {
    rules.blocked.file = blocked;
  };
  reload.catalog =
      std::make_shared<const std::vector<stock::CatalogEntry>>(*read_catalog(plan, inputs));
  return reload;
}

void write_members(const std::string& directory) {
  std::ofstream(directory + "/" + kMembersFile) << "member-1\nmember-2\n\nmember-3\r\n";
}

}  // namespace stampede::sim
