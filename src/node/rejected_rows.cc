#include "node/rejected_rows.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <vector>

#include "base/check.h"
#include "node/state_records.h"

namespace stampede::node {
namespace {

constexpr size_t kLinesPerPage = 1'000;

// The lines of one stream on a page, and the orders that they are about.
struct Refused {
  StreamKey stream;
  std::vector<int64_t> lines;
  std::set<uint64_t> orders;
};

// The order that a line is about, while the log knows it.
const stock::Order* find_order(const Data& data, const std::string& hex) {
  OrderId id;
  const auto [end, fault] = std::from_chars(hex.data(), hex.data() + hex.size(), id.value, 16);
  if (fault != std::errc{} || end != hex.data() + hex.size()) return nullptr;
  const stock::StreamState& home = data.home_of(id);
  const uint32_t index = home.find_order(id);
  return index == kNone ? nullptr : &home.order(index);
}

std::optional<orderlog::Position> position_of(const std::vector<drain::StreamPosition>& positions,
                                              const StreamKey& stream) {
  for (const drain::StreamPosition& known : positions)
    if (known.stream == stream) return known.position;
  return std::nullopt;
}

Refused& of_stream(std::vector<Refused>& page, const StreamKey& stream) {
  const auto known = std::ranges::find(page, stream, &Refused::stream);
  return known != page.end() ? *known : page.emplace_back(Refused{.stream = stream});
}

// The position stays where it is, and is compared: another drainer that moves it meanwhile is noticed.
void fill(const Data& data, const Refused& refused,
          const std::optional<orderlog::Position>& position, drain::Batch& batch) {
  batch.start_rebuild(refused.stream, position);
  for (const uint64_t value : refused.orders) {
    const stock::StreamState& home = data.home_of(OrderId{value});
    const stock::Order& order = home.order(home.find_order(OrderId{value}));
    batch.add(order.last_lsn, image_of(home, order));
    const Status added = for_each_payment(home, order, [&](const orderlog::Record& payment) {
      batch.add(order.last_lsn, payment);
      return Status(Ok{});
    });
    CHECK(added);
  }
  for (const int64_t line : refused.lines) batch.settle_reject(line);
}

}  // namespace

Result<SettledRejects> settle_rejects(const Data& data, const drain::ItemNames& names,
                                      const drain::DatabaseUrl& url, drain::Sink& sink,
                                      int64_t now_ms) {
  const Result<std::vector<drain::StreamPosition>> positions = sink.positions();
  if (!positions) return positions.error();
  // The reader sees the lines as they are now, and not those that are written for rows which are refused again.
  const Result<std::unique_ptr<drain::DatabaseReader>> reader = drain::open_database_reader(url);
  if (!reader) return reader.error();
  SettledRejects settled;
  drain::Batch batch(names);
  for (int64_t last = 0;;) {
    const Result<std::vector<drain::StoredReject>> lines =
        (*reader)->rejects_after(last, kLinesPerPage);
    if (!lines) return lines.error();
    if (lines->empty()) return settled;
    last = lines->back().id;
    std::vector<Refused> page;
    for (const drain::StoredReject& line : *lines) {
      if (line.stream.node != data.manifest().node) continue;
      if (const stock::Order* const order = find_order(data, line.order_id)) {
        Refused& refused = of_stream(page, line.stream);
        refused.lines.push_back(line.id);
        refused.orders.insert(order->id.value);
      } else {
        ++settled.forgotten;
      }
    }
    for (const Refused& refused : page) {
      fill(data, refused, position_of(*positions, refused.stream), batch);
      const drain::Written written = sink.write(batch, now_ms);
      if (written.outcome != drain::Outcome::done) return Error{written.cause};
      settled.orders += refused.orders.size();
      settled.refused += written.rejected;
    }
  }
}

}  // namespace stampede::node
