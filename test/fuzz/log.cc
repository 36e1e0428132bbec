// The order log's bytes, as a hostile or damaged disk gives them.
//
// 1. A record that can be read is written as the same bytes: what tools print is what is there.
// 2. Records with right sums and any values are refused or leave a state that keeps its own rules, in whatever order they
//    come: the sums are made here, so mutations reach behind them.
// 3. A segment of any bytes is read to its end or to a flaw with a name, never beyond.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <vector>

#include "orderlog/reader.h"
#include "promise.h"
#include "stock/stream_state.h"

namespace stampede::orderlog {
namespace {

using fuzz::require;

constexpr Moment kNow{.wall_ns = 1'795'000'000 * kSecond, .boot_ns = 1'000 * kSecond};
constexpr size_t kSegmentBytes = 64 * 1024;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

// Everything the stream counts follows from the orders that it holds.
void check_rules(const stock::StreamState& state) {
  std::vector<Units> reserved(state.stocks().size()), paid(state.stocks().size());
  for (uint32_t at = 0; at < state.orders_touched(); ++at) {
    const stock::Order& order = state.order(at);
    if (!order.is_live) continue;
    const ItemId item = state.item_of(order);
    require(item < state.stocks().size(), "an order of an item that is counted");
    require(order.quantity > 0 && order.refund_due >= 0, "an order with possible values");
    if (order.state == OrderState::reserved) reserved[item] += order.quantity;
    if (order.state == OrderState::paid) paid[item] += order.quantity;
  }
  for (ItemId item = 0; item < state.stocks().size(); ++item) {
    const stock::ItemStock& stock = state.stocks()[item];
    require(stock.reserved == reserved[item], "reserved units are those of reserved orders");
    require(stock.paid == paid[item] + stock.forgotten, "paid units are those of paid orders");
    (void)stock.pool();  // CHECKs that it is not below zero
  }
}

void try_records(const std::string& text) {
  stock::StreamState state(HashKey{7}, 64);
  std::span<const std::byte> rest = bytes_of(text);
  std::array<std::byte, bounds::record_bytes_max> out;
  for (Lsn lsn = 1; !rest.empty(); ++lsn) {
    const std::optional<Decoded> decoded = decode(rest);
    if (!decoded) break;
    require(decoded->bytes <= rest.size() && decoded->bytes <= out.size(),
            "a record within bounds");
    require(encode(decoded->record, out) == decoded->bytes, "a record's length is one");
    require(std::memcmp(out.data(), rest.data(), decoded->bytes) == 0,
            "a record is written as it was read");
    (void)state.apply(decoded->record, lsn, kNow);
    rest = rest.subspan(decoded->bytes);
  }
  check_rules(state);
}

// A directory in memory with one segment file, made once.
class Segment {
 public:
  Segment() {
    std::string dir = "/dev/shm/stampede-fuzz-XXXXXX";
    require(::mkdtemp(dir.data()) != nullptr, "a scratch directory");
    files_ = {.dir = dir, .stream = 1, .segment_bytes = kSegmentBytes, .is_direct = false};
    files_.log_uuid.fill(0xab);
    fd_ = ::open(files_.segment_path(1).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    require(fd_ >= 0 && ::ftruncate(fd_, kSegmentBytes) == 0, "a segment file");
  }
  ~Segment() {
    ::close(fd_);
    std::filesystem::remove_all(files_.dir);
  }
  const StreamFiles& files() const { return files_; }
  void write(std::span<const std::byte> bytes) {
    std::vector<std::byte> whole(kSegmentBytes);
    std::memcpy(whole.data(), bytes.data(), std::min(bytes.size(), whole.size()));
    require(::pwrite(fd_, whole.data(), whole.size(), 0) == static_cast<ssize_t>(whole.size()),
            "a segment that is written");
  }

 private:
  StreamFiles files_;
  int fd_;
};

Segment& segment() {
  static Segment segment;
  return segment;
}

// Returns the records that could be read.
size_t read_segment(std::span<const std::byte> bytes) {
  segment().write(bytes);
  Reader reader(segment().files(), Position{});
  size_t records = 0;
  while (true) {
    const Result<Reader::Found> found = reader.look();
    require(bool(found), "no error of the file system");
    require((found->flaw == Flaw::none) == found->batch.has_value(), "a batch or a flaw");
    if (!found->batch) break;
    found->batch->for_each([&](Lsn, const Record&) { ++records; });
    const Position before = reader.position();
    reader.skip(*found->batch);
    require(reader.position().offset > before.offset || reader.position().segment > before.segment,
            "reading goes forward");
  }
  require(!reader.where().empty(), "a place has a name");
  return records;
}

// The text as the body of a batch whose sums are right; its header says `record_count`.
void try_sealed(const std::string& text, uint32_t record_count) {
  const std::string body = text.substr(0, 8 * 1024);
  BatchHeader header{.log_uuid = segment().files().log_uuid,
                     .stream = 1,
                     .segment = 1,
                     .batch_seq = 1,
                     .first_lsn = 1,
                     .record_count = record_count,
                     .body_bytes = static_cast<uint32_t>(body.size())};
  std::vector<std::byte> batch(sealed_bytes(body.size()));
  std::memcpy(batch.data() + kHeaderBytes, body.data(), body.size());
  const size_t records = read_segment(seal(header, batch));
  require(records == 0 || records == record_count, "all records of a batch or none");
}

}  // namespace
}  // namespace stampede::orderlog

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace stampede;
  const fuzz::Input input(data, size);
  switch (input.choice % 8) {
    case 0:
      orderlog::read_segment(orderlog::bytes_of(input.rest));
      break;
    case 1:
      orderlog::try_sealed(input.rest, 1 + input.choice / 8);
      break;
    default:
      orderlog::try_records(input.rest);
  }
  return 0;
}
