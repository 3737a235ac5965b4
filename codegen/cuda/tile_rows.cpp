// See tile_rows.h.

#include "codegen/cuda/tile_rows.h"

#include <fmt/format.h>

namespace intaglio::cuda {
namespace {

Dim count(const std::vector<Axis>& axes) {
  Dim result = 1;
  for (const Axis& axis : axes) result = result * axis.extent;
  return result;
}

}  // namespace

TileRows::TileRows(const Contraction& spec) {
  for (const Axis& axis : spec.batch) (kernel::depends_on(spec.b, axis.var) ? products : rows).push_back(axis);
  rows.push_back(spec.y);
  rows.push_back(spec.x);
}

Dim TileRows::product_count() const { return count(products); }
Dim TileRows::row_count() const { return count(rows); }

std::string int_extent(Source& source, const Dim& dim) {
  const std::string text = source.index(kernel::from_dim(dim));
  return dim.is_constant() && source.index_type() == "int" ? text : fmt::format("int({})", text);
}

void split_number(Source& source, const std::vector<Axis>& axes, const std::string& number) {
  std::vector<const Axis*> split;
  for (const Axis& axis : axes) {
    if (axis.extent == Dim(1)) {
      source.line(fmt::format("const {} {} = 0;", source.index_type(), Source::var_name(axis.var)));
    } else {
      split.push_back(&axis);
    }
  }
  std::string rest = number;
  for (std::size_t i = split.size(); i-- > 0;) {
    const std::string name = Source::var_name(split[i]->var), extent = int_extent(source, split[i]->extent);
    source.line(fmt::format("const {} {} = {};", source.index_type(), name, i == 0 ? rest : fmt::format("{} % {}", rest, extent)));
    if (i > 0) rest = fmt::format("({} / {})", rest, extent);
  }
}

}  // namespace intaglio::cuda
