#include "node/reshard.h"

#include <algorithm>

#include "node/state_records.h"

namespace stampede::node {

using namespace orderlog;

Status reshard(const std::vector<std::unique_ptr<stock::StreamState>>& old_states,
               const std::string& data_dir, Manifest& next, uint32_t orders_max, BootId boot_id,
               Progress* progress) {
  std::vector<std::unique_ptr<stock::StreamState>> states;
  for (uint32_t shard = 0; shard < next.shard_count; ++shard)
    states.push_back(std::make_unique<stock::StreamState>(next.hash_key, orders_max));
  const Moment now_boot{.wall_ns = 0, .boot_ns = 1};
  const auto put = [&](stock::StreamState& state, const Record& record) {
    return state.apply(record, 0, now_boot);
  };
  const auto accept = [&](stock::StreamState& state, ItemId item, Units units) {
    return put(state, Grant{.item = item, .accepted = state.stock(item).accepted + units});
  };

  if (Status status =
          for_each_item_record(*old_states[0], [&](const Record& r) { return put(*states[0], r); });
      !status)
    return status;
  uint64_t sequence_max = 0, promised_epoch = 0;
  for (const auto& old : old_states) {
    promised_epoch = std::max(promised_epoch, old->promised_epoch());
    sequence_max = std::max(sequence_max, old->sequence_max());
    for (ItemId item = 0; item < old->stocks().size(); ++item) {
      const Units forgotten = old->stocks()[item].forgotten;
      if (forgotten == 0) continue;
      if (Status status = accept(*states[0], item, forgotten); !status) return status;
      if (Status status = put(*states[0], SoldImage{.item = item, .units = forgotten}); !status)
        return status;
    }
    for (const uint32_t index : orders_by_id(*old)) {
      if (progress != nullptr) progress->add(1);
      const stock::Order& order = old->order(index);
      stock::StreamState& to = *states[shard_of_slot(order.id.slot(), next.shard_count)];
      if (order.holds_units())
        if (Status status = accept(to, old->item_of(order), order.quantity); !status) return status;
      OrderImage image = image_of(*old, order);
      image.last_lsn =
          0;  // numbers of the old streams mean nothing in the new ones; all of it is durable and drained
      if (Status status = put(to, image); !status) return status;
      if (Status status =
              for_each_payment(*old, order, [&](const Record& r) { return put(to, r); });
          !status)
        return status;
    }
  }
  for (uint32_t shard = 0; shard < next.shard_count; ++shard) {
    const StreamFiles files = stream_files(data_dir, next, shard);
    if (Status status = make_directories(files.dir); !status) return status;
    states[shard]->raise_sequence(sequence_max);
    if (Status status = put(*states[shard], Epoch{.epoch = promised_epoch}); !status) return status;
    const Result<uint64_t> sum = write_snapshot(*states[shard], files, {.boot_id = boot_id});
    if (!sum) return sum.error();
    next.streams[shard].first_snapshot_sum = *sum;
  }
  return Ok{};
}

}  // namespace stampede::node
