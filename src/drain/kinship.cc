#include "drain/kinship.h"

#include <algorithm>
#include <optional>

#include "base/hex.h"
#include "base/time_text.h"

namespace stampede::drain {
namespace {

bool is_alike(const KnownOrder& known, const orderlog::Reserve& order) {
  return known.user == order.user && known.quantity == static_cast<int64_t>(order.quantity) &&
         known.amount == order.amount && known.created_at == TimeText(order.created_ms).view();
}

// Holds the orders of snapshots, one after the other, against those that the database has.
class Comparer {
 public:
  Comparer(std::vector<KnownOrder> known, uint32_t shard_count)
      : known_(std::move(known)), shard_count_(shard_count) {
    std::ranges::sort(known_, {}, &KnownOrder::id);
  }

  void hold(const orderlog::Reserve& order) {
    const auto shard_of = [&](OrderId id) {
      return shard_count_ == 0 ? id.value : uint64_t{shard_of_slot(id.slot(), shard_count_)};
    };
    const uint64_t sequence = order.order.sequence();
    const OrderId first = OrderId::make(order.order.node(), sequence, 0);
    std::optional<OrderId> under_its_number;
    for (auto known = std::ranges::lower_bound(known_, first, {}, &KnownOrder::id);
         known != known_.end() && known->id.sequence() == sequence; ++known) {
      if (shard_of(known->id) != shard_of(order.order)) continue;
      if (known->id == order.order) {
        is_alike(*known, order) ? void(has_common_ = true) : note(known->id);
        return;
      }
      under_its_number = known->id;
    }
    if (under_its_number) note(*under_its_number);
  }

  [[nodiscard]] Kinship result() const {
    constexpr char kWhatToDo[] = ": put back a newer one, or let a new database be built";
    if (another_)
      return {.kin = Kin::other,
              .why = "its order " + std::string(Hex64Text(another_->value).view()) +
                     " is not this directory's, so it is another's" + kWhatToDo};
    if (has_common_ || known_.empty()) return {.kin = Kin::own};
    return {.kin = Kin::unknown,
            .why = std::string("none of its orders is in a snapshot, so nobody can tell whether it "
                               "is this directory's") +
                   kWhatToDo};
  }

 private:
  void note(OrderId id) {
    if (!another_) another_ = id;
  }

  std::vector<KnownOrder> known_;
  uint32_t shard_count_;
  bool has_common_ = false;
  std::optional<OrderId> another_;
};

}  // namespace

Result<Kinship> find_kinship(std::vector<KnownOrder> known, const std::vector<Stream>& streams,
                             uint32_t shard_count) {
  Comparer comparer(std::move(known), shard_count);
  for (const Stream& stream : streams) {
    const auto read = stream.source->read_snapshot([&](const orderlog::Record& record) -> Status {
      if (const auto* image = std::get_if<orderlog::OrderImage>(&record))
        comparer.hold(image->reserve);
      return Ok{};
    });
    if (!read) return read.error();
  }
  return comparer.result();
}

}  // namespace stampede::drain
