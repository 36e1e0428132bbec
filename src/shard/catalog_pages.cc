#include "shard/catalog_pages.h"

#include <algorithm>
#include <utility>

#include "shard/text_answers.h"
#include "stock/catalog_json.h"

namespace stampede::shard {
namespace {

constexpr int64_t kMaxAgeS = 60;

}  // namespace

void CatalogPages::answer(const ReplyTo& place, ItemId first, const http::Request& request) {
  if (version_ != catalog_.version()) pages_.clear();
  version_ = catalog_.version();
  const auto page = std::find_if(pages_.begin(), pages_.end(),
                                 [&](const Page& one) { return one.first == first; });
  if (page != pages_.end()) return send(*page, place, request);
  auto draft = std::find_if(under_way_.begin(), under_way_.end(), [&](const Draft& one) {
    return one.first == first && one.version == version_;
  });
  if (draft == under_way_.end()) {
    under_way_.push_back(
        {.first = first, .next = first, .version = version_, .body = "{\"items\":["});
    draft = under_way_.end() - 1;
  }
  draft->readers.push_back(
      {.place = place, .lines = std::string(request.has_if_none_match ? request.lines : "")});
  go_on();
}

void CatalogPages::pass_time() {
  budget_ = kItemsPerTurn;
  go_on();
}

// As far as the turn's budget goes, one page after the other.
void CatalogPages::go_on() {
  while (!under_way_.empty()) {
    Draft& draft = under_way_.front();
    const ItemId end = std::min<ItemId>(catalog_.id_end(), draft.first + bounds::items_per_page);
    for (; draft.next < end; ++draft.next) {
      if (budget_ == 0) return;
      --budget_;
      if (!catalog_.contains(draft.next)) continue;
      if (draft.body.back() == '}') draft.body += ',';
      stock::append_item_json(catalog_.terms(draft.next), draft.body);
    }
    // Out of the line first: an answer may bring the next request of the same connection.
    Draft done = std::move(draft);
    under_way_.pop_front();
    finish(done);
  }
}

void CatalogPages::finish(Draft& draft) {
  draft.body += ']';
  if (draft.next < catalog_.id_end())
    draft.body += ",\"next\":\"" + std::string(catalog_.code(draft.next - 1)) + "\"";
  draft.body += '}';
  ++rendered_;
  Page page{.first = draft.first};
  page.tag = stock::entity_tag(draft.body);
  page.body = std::make_shared<const std::string>(std::move(draft.body));
  // One that was begun before a change shows some items as they were: it is answered, not kept.
  if (draft.version == catalog_.version()) {
    if (pages_.size() == kPagesKept) pages_.pop_front();
    pages_.push_back(page);
  }
  for (const Reader& reader : draft.readers) {
    http::Request request;
    request.has_if_none_match = !reader.lines.empty();
    request.lines = reader.lines;
    send(page, reader.place, request);
  }
}

void CatalogPages::send(const Page& page, const ReplyTo& place, const http::Request& request) {
  TextAnswer answer = cacheable(page.tag, kMaxAgeS, request);
  if (answer.status == http::StatusCode::ok) answer.shared_body = page.body;
  connections_.complete(place, std::move(answer));
}

}  // namespace stampede::shard
