// What it costs to find a code that is sold and to miss one that is not, with and without the filter over codes
// (src/stock/code_filter.h). Prints nanoseconds a look-up, the median of several runs that take turns.
//
//   build/release/find_code [ITEMS]           a thousand and a million without it
//   build/release/find_code ITEMS RATE KIND   one kind only, once, for callgrind: known or unknown
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "stock/catalog.h"

namespace stampede {
namespace {

constexpr HashKey kKey{1, 2, 3, 4};
constexpr size_t kLookups = 1u << 18;
constexpr int kRuns = 7;
constexpr double kRate = 0.01;

std::string code_of(uint64_t number) {
  char text[32];
  std::snprintf(text, sizeof text, "item-%016lx", (unsigned long)mix(number));
  return text;
}

std::unique_ptr<stock::Catalog> make_catalog(ItemId items, double rate) {
  auto catalog = std::make_unique<stock::Catalog>(kKey, rate, items);
  stock::ItemTerms terms;
  for (terms.id = 0; terms.id < items; ++terms.id) {
    terms.code = std::string_view(code_of(terms.id));
    terms.title = terms.code.view();
    catalog->upsert(terms);
  }
  return catalog;
}

// Known ones in no order; unknown ones follow them in number.
std::vector<std::string> codes_to_ask(ItemId items, bool are_known) {
  std::vector<std::string> codes;
  for (size_t i = 0; i < kLookups; ++i)
    codes.push_back(code_of(are_known ? mix(i + 1) % items : items + i));
  return codes;
}

size_t find_all(const stock::Catalog& catalog, const std::vector<std::string>& codes) {
  size_t found = 0;
  for (const std::string& code : codes) found += catalog.find(code) != kNoItem;
  return found;
}

double ns_each(const stock::Catalog& catalog, const std::vector<std::string>& codes,
               size_t expected) {
  const auto began = std::chrono::steady_clock::now();
  const size_t found = find_all(catalog, codes);
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - began;
  if (found != expected) std::abort();
  return took.count() / static_cast<double>(codes.size());
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Catalogs are made anew for each run, one at a time: where their memory lies counts for more than the filter.
void compare(ItemId items) {
  const std::vector<std::string> known = codes_to_ask(items, true),
                                 unknown = codes_to_ask(items, false);
  std::vector<double> figures[2][2];  // by rate, then known and unknown
  size_t bytes = 0;
  for (int run = 0; run < kRuns; ++run)
    for (const bool is_filtered : {false, true}) {
      const auto catalog = make_catalog(items, is_filtered ? kRate : 0);
      bytes = std::max(bytes, catalog->filter_bytes());
      figures[is_filtered][0].push_back(ns_each(*catalog, known, known.size()));
      figures[is_filtered][1].push_back(ns_each(*catalog, unknown, 0));
    }
  for (const int is_unknown : {0, 1})
    std::printf("%8u items, %-7s code: %6.1f ns without a filter, %6.1f ns with %g (%zu KB)\n",
                items, is_unknown ? "unknown" : "known", median(figures[0][is_unknown]),
                median(figures[1][is_unknown]), kRate, bytes / 1024);
}

}  // namespace
}  // namespace stampede

int main(int argc, char** argv) {
  using namespace stampede;
  const auto items = static_cast<ItemId>(argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 0);
  if (argc == 4) {
    const auto catalog = make_catalog(items, std::strtod(argv[2], nullptr));
    const auto codes = codes_to_ask(items, std::string_view(argv[3]) == "known");
    std::printf("%zu found\n", find_all(*catalog, codes));
    return 0;
  }
  for (const ItemId size : {ItemId{1'000}, ItemId{1'000'000}})
    if (items == 0 || size == items) compare(size);
  return 0;
}
