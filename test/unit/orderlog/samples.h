// One of each record, and logs made of them.
#pragma once

#include <vector>

#include "orderlog/record.h"

namespace stampede::orderlog {

inline Reserve sample_reserve(uint64_t sequence, std::string_view user = "user-17@example.org",
                              std::string_view key = "3f0c7d1e-0000-4000-8000-00000000abcd") {
  return {.order = OrderId::make(3, sequence, 77),
          .item = 5,
          .quantity = 2,
          .amount = 19'800,
          .currency = {'E', 'U', 'R'},
          .created_ms = 1'795'000'000'000,
          .pay_before_ms = 1'795'000'900'000,
          .body_hash = 0x0123456789abcdef,
          .user = user,
          .key = key};
}

inline Payment sample_payment(RecordType outcome) {
  return {.outcome = outcome,
          .order = OrderId::make(3, 9, 77),
          .amount = 19'800,
          .currency = {'E', 'U', 'R'},
          .received_ms = 1'795'000'100'000,
          .payment_id = "pay_000001"};
}

// Every type, with every field set to something else than its default.
inline std::vector<Record> sample_records() {
  const OrderId order = OrderId::make(3, 9, 77);
  return {
      Item{.item = 5,
           .code = "ticket",
           .title = "A ticket \xe2\x80\x93 row 1",
           .price = 9'900,
           .currency = {'E', 'U', 'R'},
           .per_user_limit = 2,
           .starts_ms = 1'795'000'000'000,
           .ends_ms = 1'795'003'600'000,
           .pay_window_s = 900,
           .is_paused = true,
           .is_ended = true,
           .has_hidden_link = true},
      Item{.item = 6,
           .code = "kq3Zb0T1ZK2mSxSg1qk0Aw",
           .title = "A book",
           .price = 1'200,
           .currency = {'E', 'U', 'R'},
           .pay_window_s = 600,
           .catalog_sum = 77,
           .order_rate = 500,
           .has_proof = true,
           .product = "4711",
           .enrolled = "lists/members.txt"},
      Supply{.item = 5, .supplied = 10'000, .withdrawn = 7},
      Grant{.item = 5, .accepted = 256},
      GiveBack{.item = 5, .returned = 12},
      Admin{.at_ms = 1'795'000'000'001,
            .item = 5,
            .op_id = "r1",
            .who = "127.0.0.1",
            .what = "restock +100"},
      Epoch{.epoch = (7 << 16) | 3},
      SequenceFloor{.sequence = 1'000'000'007},
      Block{.is_network = true, .word = BlockWord::exempt, .subject = "2001:db8::/32"},
      sample_reserve(9),
      sample_payment(RecordType::paid),
      sample_payment(RecordType::late_paid),
      sample_payment(RecordType::refund_due),
      sample_payment(RecordType::payment_rejected),
      Cancel{.order = order, .at_ms = 1'795'000'200'000},
      Expire{.order = order, .at_ms = 1'795'000'900'000},
      Forget{.order = order},
      Recovery{.truncated_batch = 42, .truncated_offset = 8192},
      SegmentEnd{.next_segment = 8},
      OrderImage{.reserve = sample_reserve(9),
                 .state = OrderState::paid,
                 .refund_due = 100,
                 .last_lsn = 1234,
                 .deadline_boot_ns = 987'654'321},
      PaymentImage{.payment = sample_payment(RecordType::refund_due)},
      SoldImage{.item = 5, .units = 70'000},
  };
}

}  // namespace stampede::orderlog
