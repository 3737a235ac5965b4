// The text of a contraction: everything that its code depends on.

#include <fmt/format.h>

#include "codegen/schedule/contraction.h"

namespace intaglio {

std::string to_text(const Contraction& contraction) {
  const auto axis = [](std::string_view name, const Axis& a) { return fmt::format("{} v{} < {}", name, a.var, a.extent.text()); };
  std::string text = contraction.kind == Contraction::Kind::dense ? "contraction" : "depthwise";
  for (const kernel::Buffer& buffer : contraction.buffers) text += fmt::format(" {}: {}[{}]", buffer.name, dtype_name(buffer.dtype), buffer.elements.text());
  for (const std::string& symbol : contraction.symbols) text += fmt::format(" {}", symbol);
  text += '\n';
  for (std::size_t i = 0; i < contraction.batch.size(); ++i) {
    text += fmt::format("  {}{}\n", axis("batch", contraction.batch[i]), static_cast<int>(i) == contraction.group_axis ? " (group)" : "");
  }
  text += fmt::format("  {}, {}, {}, {}, {}, {}\n", axis("y", contraction.y), axis("x", contraction.x), axis("n", contraction.n), axis("r", contraction.r),
                      axis("s", contraction.s), axis("c", contraction.c));
  text += fmt::format("  input {}x{} stride {}x{} dilation {}x{} pad {}x{}{} at v{}, v{}\n", contraction.input_height.text(), contraction.input_width.text(), contraction.stride_y,
                      contraction.stride_x, contraction.dilation_y, contraction.dilation_x, contraction.pad_y.text(), contraction.pad_x.text(),
                      contraction.padded ? fmt::format(" padded with {}", contraction.pad_value) : "", contraction.a_y, contraction.a_x);
  text += fmt::format("  a = {}\n  b = {}{}\n", kernel::to_text(contraction.a), kernel::to_text(contraction.b),
                      contraction.constant_b >= 0 ? fmt::format(" (constant, packed from buffer {})", contraction.constant_b) : "");
  text += fmt::format("  sum in {} as v{}\n  buffer {}[{}] = {}\n", dtype_name(contraction.compute), contraction.accumulator, contraction.buffers.size() - 1,
                      kernel::to_text(contraction.offset), kernel::to_text(contraction.result));
  return text;
}

}  // namespace intaglio
