#include "shard/catalog_pages.h"

#include <algorithm>
#include <utility>

#include "shard/text_answers.h"
#include "stock/catalog_json.h"

namespace stampede::shard {
namespace {

constexpr int64_t kMaxAgeS = 60;
constexpr std::string_view kLead = "{\"items\":[";

}  // namespace

void CatalogPages::answer(const ReplyTo& place, ItemId first, const http::Request& request) {
  if (version_ != catalog_.version()) {
    pages_.clear();
    kept_bytes_ = 0;
  }
  version_ = catalog_.version();
  const ItemId page_first = first - first % bounds::items_per_page;
  const auto page = std::ranges::find(pages_, page_first, &Page::first);
  if (page != pages_.end()) return send(*page, first, place, request);
  Draft* const draft = draft_of(page_first);
  if (draft == nullptr) return answers_.refuse(place, {.verdict = Verdict::overloaded});
  const bool has_tag = request.has_if_none_match && tags_ < kTagsMax;
  tags_ += has_tag;
  draft->readers.push_back(
      {.place = place, .first = first, .lines = std::string(has_tag ? request.lines : "")});
  go_on();
}

// The one under way, or a new one; null: there are too many. Of first pages there is one for each change of the catalog.
CatalogPages::Draft* CatalogPages::draft_of(ItemId first) {
  const auto draft = std::ranges::find_if(
      under_way_, [&](const Draft& one) { return one.first == first && one.version == version_; });
  if (draft != under_way_.end()) return &*draft;
  if (!may_begin(first)) return nullptr;
  const auto behind = first != 0 ? under_way_.end()
                                 : std::ranges::find_if(
                                       under_way_, [](const Draft& one) { return one.first != 0; });
  return &*under_way_.insert(behind,
                             {.first = first, .version = version_, .body = std::string(kLead)});
}

bool CatalogPages::may_begin(ItemId first) const {
  return first == 0 || (under_way_.size() < kUnderWayMax && bytes() < kHeldBytesMax);
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
    for (ItemId id; (id = draft.first + static_cast<ItemId>(draft.offsets.size())) < end;) {
      if (budget_ == 0) return;
      --budget_;
      draft.offsets.push_back(static_cast<uint32_t>(draft.body.size()));
      if (!catalog_.contains(id)) continue;
      stock::append_item_json(catalog_.terms(id), draft.body);
      draft.body += ',';
    }
    // Out of the line first: an answer may bring the next request of the same connection.
    Draft done = std::move(draft);
    under_way_.pop_front();
    finish(done);
  }
}

void CatalogPages::finish(Draft& draft) {
  const ItemId end = draft.first + static_cast<ItemId>(draft.offsets.size());
  if (draft.body.back() == ',') draft.body.pop_back();
  draft.offsets.push_back(static_cast<uint32_t>(draft.body.size()));
  draft.body += ']';
  if (end < catalog_.id_end() && catalog_.contains(end - 1))
    draft.body.append(",\"next\":\"").append(catalog_.code(end - 1)).append("\"");
  draft.body += '}';
  ++rendered_;
  Page page{.first = draft.first, .offsets = std::move(draft.offsets)};
  page.tag = stock::entity_tag(draft.body);
  *held_bytes_ += draft.body.size();
  page.body = {new std::string(std::move(draft.body)),
               [held = held_bytes_](const std::string* body) {
                 *held -= body->size();
                 delete body;
               }};
  // One that was begun before a change shows some items as they were: it is answered, not kept.
  if (draft.version == catalog_.version()) keep(page);
  for (const Reader& reader : draft.readers) {
    http::Request request;
    request.has_if_none_match = !reader.lines.empty();
    request.lines = reader.lines;
    tags_ -= request.has_if_none_match;
    send(page, reader.first, reader.place, request);
  }
}

void CatalogPages::keep(const Page& page) {
  pages_.push_back(page);
  kept_bytes_ += page.body->size();
  while (kept_bytes_ > kKeptBytesMax) {
    const auto oldest =
        std::ranges::find_if(pages_, [](const Page& one) { return one.first != 0; });
    if (oldest == pages_.end()) return;
    kept_bytes_ -= oldest->body->size();
    pages_.erase(oldest);
  }
}

void CatalogPages::send(const Page& page, ItemId first, const ReplyTo& place,
                        const http::Request& request) {
  const ItemId skipped = first - page.first;
  std::string tag = page.tag;
  if (skipped != 0) tag.insert(tag.size() - 1, "-" + std::to_string(skipped));
  TextAnswer answer = cacheable(tag, kMaxAgeS, request);
  if (answer.status == http::StatusCode::ok) {
    answer.lead = kLead;
    answer.shared_body = page.body;
    answer.shared_from = std::min(page.offsets[skipped], page.offsets.back());
  }
  answers_.complete(place, std::move(answer));
}

}  // namespace stampede::shard
