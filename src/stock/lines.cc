#include "stock/lines.h"

#include <algorithm>

#include "base/check.h"

namespace stampede::stock {

Lines::Lines() : waiting_(bounds::orders_waiting_max) {}

const Lines::Line& Lines::line(ItemId item) const {
  static constexpr Line kEmpty;
  return item < lines_.size() ? lines_[item] : kEmpty;
}

bool Lines::push(const OrderRequest& request, Moment now) {
  const uint32_t index = waiting_.allocate();
  if (index == kNone) return false;
  waiting_[index] = {.request = request, .since_boot_ns = now.boot_ns, .next = kNone};
  if (request.item >= lines_.size()) lines_.resize(request.item + 1);
  Line& line = lines_[request.item];
  if (line.head == kNone)
    line.head = index;
  else
    waiting_[line.tail].next = index;
  line.tail = index;
  line.units += request.quantity;
  if (!line.is_listed) items_.push_back(request.item);
  line.is_listed = true;
  ++size_;
  return true;
}

const OrderRequest& Lines::head(ItemId item) const {
  CHECK(!is_empty(item));
  return waiting_[line(item).head].request;
}

int64_t Lines::head_since_boot_ns(ItemId item) const {
  CHECK(!is_empty(item));
  return waiting_[line(item).head].since_boot_ns;
}

OrderRequest Lines::pop(ItemId item) {
  CHECK(!is_empty(item));
  Line& line = lines_[item];
  const uint32_t index = line.head;
  const OrderRequest request = waiting_[index].request;
  CHECK(line.units >= request.quantity);
  line.head = waiting_[index].next;
  line.units -= request.quantity;
  waiting_.release(index);
  --size_;
  return request;
}

void Lines::drop_empty() {
  std::erase_if(items_, [&](ItemId item) {
    if (!is_empty(item)) return false;
    lines_[item].is_listed = false;
    return true;
  });
}

}  // namespace stampede::stock
