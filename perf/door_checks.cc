// What each check of the door costs a request: a loop that does nothing else, over inputs that differ.
//
//   door_checks CHECK REQUESTS     CHECK: one of the table below; prints nanoseconds of CPU time a request
//   door_checks list               their names
//
// perf/door_checks runs all of them, also under callgrind with two numbers of requests and takes the difference, so that what
// the beginning costs drops out. Lists hold 100,000 entries of each kind, the catalog has 1,000 items, the filter's rate is 0.01.
// Users, addresses and codes are drawn once and then in turn, so small tables lie in the cache: perf/lists and
// build/release/find_code show what large ones cost.
#include <time.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/clock.h"
#include "door/address_table.h"
#include "door/block_list.h"
#include "door/enrolment.h"
#include "door/link.h"
#include "door/proof.h"
#include "door/ticket.h"
#include "stock/catalog.h"

namespace stampede {
namespace {

constexpr HashKey kKey{1, 2, 3, 4};
constexpr int64_t kNowUnix = 1'800'000'000;
constexpr size_t kInputs = 4096, kEntries = 100'000;
constexpr ItemId kItems = 1'000;
constexpr int64_t kBootNs = 1'000 * kSecond;

using Check = std::function<bool(size_t)>;

std::string item_code(uint64_t number) {
  return "item-" + std::to_string(mix(number));
}
std::string user_name(uint64_t number) {
  return "user-" + std::to_string(mix(number));
}
door::Address address(uint64_t number) {
  const uint64_t bits = mix(number);
  const uint8_t four[4] = {10, static_cast<uint8_t>(bits), static_cast<uint8_t>(bits >> 8),
                           static_cast<uint8_t>(bits >> 16)};
  return door::address_of_ipv4(four);
}
const door::Key& secret_key() {
  static const door::Key key("k1", door::Secret{7});
  return key;
}
std::span<const door::Key> keys() {
  return {&secret_key(), 1};
}

template <typename Make>
auto inputs_of(Make make) {
  std::vector<decltype(make(0))> inputs;
  for (size_t i = 0; i < kInputs; ++i) inputs.push_back(make(i));
  return std::make_shared<const decltype(inputs)>(std::move(inputs));
}

// The loop, an input and the call through std::function: what stands in every figure.
Check nothing() {
  return [users = inputs_of(user_name)](size_t i) { return !(*users)[i].empty(); };
}

Check address_rate(uint32_t requests) {
  const auto table = std::make_shared<door::AddressTable>(1);
  const door::Rate rate{.requests = requests, .window_ms = 60'000};
  return [table, rate, addresses = inputs_of(address)](size_t i) {
    return table->count_request(door::group_of((*addresses)[i]), rate, kBootNs) == 0;
  };
}

// What a gateway's header adds to it.
Check address_header() {
  const auto texts = inputs_of([](uint64_t number) {
    const door::Address one = address(number);
    return "10." + std::to_string(one.bytes[13]) + "." + std::to_string(one.bytes[14]) + "." +
           std::to_string(one.bytes[15]);
  });
  return [texts](size_t i) { return door::parse_address((*texts)[i]).has_value(); };
}

// Once a connection, not a request: in and out.
Check connections_address() {
  const auto table = std::make_shared<door::AddressTable>(1);
  return [table, addresses = inputs_of(address)](size_t i) {
    const door::AddressGroup group = door::group_of((*addresses)[i]);
    const auto taken = table->take_connection(group, 100);
    if (taken == door::AddressTable::Admission::counted) table->give_connection(group);
    return taken != door::AddressTable::Admission::refused;
  };
}

Check item(bool is_known, double filter_rate) {
  const auto catalog = std::make_shared<stock::Catalog>(kKey, filter_rate, kItems);
  for (ItemId id = 0; id < kItems; ++id) {
    stock::ItemTerms terms;
    terms.id = id;
    terms.code = std::string_view(item_code(id));
    terms.title = terms.code.view();
    catalog->upsert(terms);
  }
  const auto codes =
      inputs_of([=](uint64_t i) { return item_code(is_known ? i % kItems : kItems + i); });
  return [catalog, codes](size_t i) { return catalog->find((*codes)[i]) != kNoItem; };
}

Check ticket(bool is_valid) {
  const auto tickets = inputs_of([=](uint64_t i) {
    std::array<char, door::kTicketBytesMax> room;
    std::string text(door::mint_ticket(user_name(i), kNowUnix + 60, secret_key(), room));
    if (!is_valid) text.back() = text.back() == 'A' ? 'E' : 'A';
    return text;
  });
  return [tickets](size_t i) {
    const auto user = door::verify_ticket((*tickets)[i], keys(), kNowUnix);
    return user.has_value();
  };
}

Check user_hash() {
  return [users = inputs_of(user_name)](size_t i) { return keyed_hash(kKey, (*users)[i]) != 0; };
}

Check link() {
  const auto links = inputs_of([](uint64_t i) {
    std::array<char, door::kLinkBytesMax> room;
    return std::string(door::mint_link(user_name(i), "ticket", kNowUnix + 60, secret_key(), room));
  });
  return [links, users = inputs_of(user_name)](size_t i) {
    return door::verify_link((*links)[i], (*users)[i], "ticket", keys(), kNowUnix);
  };
}

Check new_link() {
  return [users = inputs_of(user_name)](size_t i) {
    std::array<char, door::kLinkBytesMax> room;
    return !door::mint_link((*users)[i], "ticket", kNowUnix + 60, secret_key(), room).empty();
  };
}

Check proof() {
  const auto proofs = inputs_of([](uint64_t i) {
    std::array<char, door::kProofBytesMax> room;
    return std::string(door::mint_proof(user_name(i), "ticket", kNowUnix + 60, secret_key(), room));
  });
  return [proofs, users = inputs_of(user_name)](size_t i) {
    return door::verify_proof((*proofs)[i], (*users)[i], "ticket", keys(), kNowUnix);
  };
}

// Strangers, who are nearly everybody: users and networks that no list names.
door::Blocked lists() {
  const auto list = [](size_t first, size_t count) {
    std::vector<std::string> names;
    for (size_t i = 0; i < count; ++i) names.push_back("blocked-" + std::to_string(first + i));
    std::vector<door::UserWord> users;
    std::vector<door::NetworkWord> networks;
    for (size_t i = 0; i < count; ++i) {
      users.push_back({names[i]});
      door::Network network{.bits = mix(first + i) << 32 | uint64_t{11} << 56, .length = 32};
      networks.push_back({i % 4 == 0 ? network.of_length(24) : network});
    }
    return std::make_shared<const door::BlockList>(users, networks, 1);
  };
  return {.file = list(0, kEntries), .operators = list(kEntries, 1'000)};
}
Check blocked_user() {
  return [blocked = lists(), users = inputs_of(user_name)](size_t i) {
    return !blocked.has_user((*users)[i]);
  };
}
Check blocked_address() {
  return [blocked = lists(), addresses = inputs_of(address)](size_t i) {
    return !blocked.has_address((*addresses)[i]);
  };
}

Check enrolled() {
  std::string text;
  for (size_t i = 0; i < kEntries; ++i) text += user_name(i) + "\n";
  door::Enrolments files;
  files["members.txt"] =
      std::make_shared<const door::UserSet>(*door::UserSet::parse(text, "members.txt", kKey));
  const auto hashes = inputs_of([](uint64_t i) { return keyed_hash(kKey, user_name(i)); });
  return [files, hashes, users = inputs_of(user_name)](size_t i) {
    return door::is_enrolled(files, "members.txt", (*users)[i], (*hashes)[i]);
  };
}

struct Named {
  const char* name;
  std::function<Check()> make;
};
const Named kChecks[] = {
    {"nothing", nothing},
    {"address_rate", [] { return address_rate(1'000'000'000); }},
    {"address_rate_over", [] { return address_rate(1); }},
    {"address_header", address_header},
    {"connections_address", connections_address},
    {"blocked_address", blocked_address},
    {"known_item", [] { return item(true, 0); }},
    {"known_item_filter", [] { return item(true, 0.01); }},
    {"unknown_item", [] { return item(false, 0); }},
    {"unknown_item_filter", [] { return item(false, 0.01); }},
    {"ticket", [] { return ticket(true); }},
    {"ticket_forged", [] { return ticket(false); }},
    {"user_hash", user_hash},
    {"blocked_user", blocked_user},
    {"enrolled", enrolled},
    {"link", link},
    {"new_link", new_link},
    {"proof", proof},
};

// Of this thread: a busy machine does not count.
double cpu_ns() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return time.tv_sec * 1e9 + time.tv_nsec;
}

int run(const Named& named, size_t requests) {
  const Check check = named.make();
  size_t passed = 0;
  const double began_ns = cpu_ns();
  for (size_t i = 0; i < requests; ++i) passed += check(i % kInputs);
  std::printf("%s %.1f ns, %zu of %zu passed\n", named.name, (cpu_ns() - began_ns) / requests,
              passed, requests);
  return 0;
}

}  // namespace
}  // namespace stampede

int main(int argc, char** argv) {
  using namespace stampede;
  const std::string asked = argc > 1 ? argv[1] : "";
  for (const Named& named : kChecks) {
    if (asked == "list") std::printf("%s\n", named.name);
    if (asked == named.name && argc == 3)
      return run(named, std::max(1ull, std::strtoull(argv[2], nullptr, 10)));
  }
  if (asked == "list") return 0;
  std::fprintf(stderr, "usage: door_checks list | door_checks CHECK REQUESTS\n");
  return 2;
}
