// See cluster_join.h.

#include "codegen/cuda/cluster_join.h"

#include <fmt/format.h>

namespace intaglio::cuda {

void join_cluster(Source& source, TileEpilogue& epilogue, const ClusterSums& sums) {
  const int rows = sums.rows / sums.parts, groups = sums.columns / kLaneColumns;
  const std::string type = type_name(sums.dtype);
  source.line("ptx::cluster_sync();");
  source.open(fmt::format("for (int i = threadIdx.x; i < {}; i += {}) {{", rows * groups, sums.threads));
  source.line(fmt::format("const int row = part * {} + i / {}, column = i % {} * {};", rows, groups, groups, kLaneColumns));
  source.line(fmt::format("{} lane_sums[{}] = {{}};", type, kLaneColumns));
  source.line("#pragma unroll");
  source.open(fmt::format("for (int other = 0; other < {}; ++other) {{", sums.parts));
  source.line("float x[8];");
  source.line(fmt::format("const uint32 from = a_shared + (row * {} + column) * 4;", sums.pitch));
  source.line("ptx::load_from_block(x, from, other), ptx::load_from_block(x + 4, from + 16, other);");
  source.line("#pragma unroll");
  source.line(fmt::format("for (int l = 0; l < 8; ++l) lane_sums[l] += op::bits_as<{}>(x[l]);", type));
  source.close();
  source.line("const int m = m0 + row, n = n0 + column;");
  epilogue.store_columns("lane_sums", "m", "n");
  source.close();
  // Others may still read this block's memory.
  source.line("ptx::cluster_sync();");
}

}  // namespace intaglio::cuda
