/* SPDX-License-Identifier: MIT */
/* Escapes standard input as the inside of a JSON string, or says whether the argument is a JSON number. */
#include "text.h"

#include <stdio.h>

int main(int count, char **arguments) {
  if (count == 2)
    return !dc_text_is_number(arguments[1], strlen(arguments[1]));
  static char input[1 << 16];
  size_t size = fread(input, 1, sizeof(input), stdin);
  struct dc_text text;
  if (!dc_text_init(&text, size * DC_TEXT_ESCAPED + 1))
    return 1;
  dc_text_escaped(&text, input, size);
  fwrite(text.data, 1, text.size, stdout);
  dc_text_deinit(&text);
  return 0;
}
