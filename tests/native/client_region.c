/* SPDX-License-Identifier: MIT */
/* The layout and the limits of regions, looked at from inside; run under AddressSanitizer and UBSan. */
#include "client.c"

#include <assert.h>
#include <float.h>
#include <limits.h>

static size_t text_size(const struct datacrumbs_region *region) { return region->size - TEXT_OFFSET; }

#define EXPECT_TEXT(region, expected)                                                                                  \
  assert(text_size(region) == sizeof(expected) && memcmp((region)->text, expected, sizeof(expected)) == 0)

static void test_layout(void) {
  struct datacrumbs_region region;
  datacrumbs_region_begin(&region, "name");
  EXPECT_TEXT(&region, "name");
  datacrumbs_region_text(&region, "key", "value");
  datacrumbs_region_integer(&region, "low", LLONG_MIN);
  datacrumbs_region_number(&region, "tenth", 0.1);
  EXPECT_TEXT(&region, "name\0key\0svalue\0low\0n-9223372036854775808\0tenth\0n0.1");
  assert(region.start <= dc_now() && dc_now() - region.start < 60000000000ULL);
}

static void test_null_texts_are_empty(void) {
  struct datacrumbs_region region;
  datacrumbs_region_begin(&region, NULL);
  datacrumbs_region_text(&region, NULL, NULL);
  EXPECT_TEXT(&region, "\0\0s");
}

static void test_numbers_are_json(void) {
  static const struct {
    double value;
    const char *text;
  } cases[] = {{0.0, "n0"},
               {-0.5, "n-0.5"},
               {1.0 / 3, "n0.3333333333333333"},
               {1e300, "n1e+300"},
               {5e-324, "n4.94065645841247e-324"},
               {DBL_MAX, "n1.7976931348623157e+308"},
               {__builtin_inf(), "sinf"},
               {-__builtin_inf(), "s-inf"}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct datacrumbs_region region;
    datacrumbs_region_begin(&region, "");
    errno = 7;
    datacrumbs_region_number(&region, "", cases[i].value);
    assert(errno == 7);
    assert(strcmp(region.text + 2, cases[i].text) == 0);
  }
}

static void test_decimal_separators_of_locales(void) {
  char comma[] = "1,5e-07", arabic[] = "1\xd9\xab"
                                       "5";
  use_full_stop(comma);
  use_full_stop(arabic);
  assert(strcmp(comma, "1.5e-07") == 0 && strcmp(arabic, "1.5") == 0);
}

/* A long name is cut at a character; an argument is there whole or not at all; later, smaller ones may still fit. */
static void test_limits(void) {
  struct datacrumbs_region region;
  char text[2048];
  for (size_t size = 900; size < 1100; size++) {
    memset(text, 'x', size);
    text[size] = '\0';
    datacrumbs_region_begin(&region, text);
    assert(text_size(&region) == (size < 1015 ? size : 1015) + 1);

    datacrumbs_region_begin(&region, "n");
    datacrumbs_region_text(&region, "k", text);
    assert(text_size(&region) == (size <= 1010 ? 2 + 2 + 1 + size + 1 : 2));
    datacrumbs_region_integer(&region, "i", 1);
    assert(region.size <= DC_MARKER_REGION_MAX);
    datacrumbs_region_text(&region, text, "v");
    assert(region.size <= DC_MARKER_REGION_MAX);
  }
  for (size_t i = 0; i < 600; i++)
    memcpy(text + 3 * i, "\xe2\x82\xac", 3);
  text[1800] = '\0';
  datacrumbs_region_begin(&region, text);
  assert(text_size(&region) == 338 * 3 + 1);
  memset(text, 0x80, sizeof(text) - 1); /* no character ever begins */
  text[sizeof(text) - 1] = '\0';
  datacrumbs_region_begin(&region, text);
  assert(text_size(&region) == 1);
}

static void test_a_region_that_nobody_opened_is_left_alone(void) {
  struct datacrumbs_region region;
  memset(&region, 0xff, sizeof(region));
  datacrumbs_region_text(&region, "key", "value");
  assert(region.size == ~0ULL);
  memset(&region, 0, sizeof(region));
  datacrumbs_region_integer(&region, "key", 1);
  assert(region.size == 0);
  datacrumbs_region_end(&region);
}

int main(void) {
  test_layout();
  test_null_texts_are_empty();
  test_numbers_are_json();
  test_decimal_separators_of_locales();
  test_limits();
  test_a_region_that_nobody_opened_is_left_alone();
  return 0;
}
