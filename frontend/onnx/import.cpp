// Imports a model: inputs, constants, then node by node; problems are gathered, and what depends on a problem is passed over in silence.
#include "frontend/onnx/import.h"

#include <algorithm>
#include <cctype>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "frontend/onnx/importers.h"
#include "frontend/onnx/model_file.h"
#include "frontend/onnx/problems.h"
#include "frontend/onnx/tensor_proto.h"

namespace intaglio {
namespace {

/// A symbol for a dimension's ONNX name, which may hold any characters.
std::string symbol_name(const std::string& name) {
  std::string result;
  for (char c : name) result += std::isalnum(static_cast<unsigned char>(c)) || c == '_' ? c : '_';
  if (result.empty() || std::isdigit(static_cast<unsigned char>(result[0]))) result = "_" + result;
  return result;
}

/// True for what inputs and outputs may hold: elements that lie in memory one by one, and that files of arrays have a type for.
bool crosses_the_border(DType dtype) {
  switch (dtype) {
    case DType::f8e4m3fnuz:
    case DType::f8e5m2fnuz:
    case DType::f8e8m0: return false;
    default: return dtype_bits(dtype) >= 8;
  }
}

Diagnostic border_problem(DType dtype) {
  return {"", fmt::format("{} is not supported for inputs and outputs yet", dtype_name(dtype)), "booleans, integers of 8 bits or more, f16, bf16, f32, f64, f8e4m3fn or f8e5m2", "",
          "convert it inside the model: Cast, or QuantizeLinear and DequantizeLinear"};
}

class Importer {
 public:
  Importer(onnx::ModelProto& model, const ImportOptions& options, const std::string& name)
      : model_(model), options_(options), problems_(name), graph_(std::make_unique<Graph>("main")) {}

  std::unique_ptr<Graph> import() {
    check_model();
    problems_.throw_if_any();
    onnx::GraphProto& proto = *model_.mutable_graph();
    count_readers(proto);
    add_initializers(proto);
    add_inputs(proto);
    check_overrides();
    check_operators(proto);
    for (int i = 0; i < proto.node_size(); ++i) add_node(*proto.mutable_node(i), i);
    add_outputs(proto);
    problems_.throw_if_any();
    return std::move(graph_);
  }

 private:
  void check_model() {
    if (!model_.has_graph()) return problems_.add("the model holds no graph", "an ONNX model with a graph");
    opset_ = 0;
    for (const auto& opset : model_.opset_import()) {
      if (opset.domain().empty() || opset.domain() == "ai.onnx") opset_ = static_cast<int>(std::clamp<std::int64_t>(opset.version(), 0, 1 << 20));
    }
    if (opset_ < kOldestOpset || opset_ > kNewestOpset) {
      problems_.add(fmt::format("opset {} is not supported", opset_), fmt::format("opsets {} to {}", kOldestOpset, kNewestOpset), fmt::format("opset {}", opset_),
                    "export the model with another opset_version");
    }
    if (model_.functions_size() > 0) problems_.add("models with functions of their own are not supported yet", "operators only", fmt::format("{} functions", model_.functions_size()), "inline them before export");
  }

  void count_readers(const onnx::GraphProto& proto) {
    for (const auto& node : proto.node()) read_.insert(node.input().begin(), node.input().end());
    for (const auto& output : proto.output()) read_.insert(output.name());
  }

  void define(const std::string& name, Value* value) {
    values_[name] = value;
    if (value && value->origin.empty()) value->origin = name;
  }

  void add_initializers(onnx::GraphProto& proto) {
    if (proto.sparse_initializer_size() > 0) problems_.add("sparse constants are not supported yet");
    for (auto& tensor : *proto.mutable_initializer()) {
      const std::string name = tensor.name();
      if (values_.contains(name)) {
        problems_.add_at(fmt::format("constant '{}'", name), Diagnostic{"", "the name is defined twice", "each value once", "", "rename one of them"});
        continue;
      }
      try {
        define(name, graph_->add_constant(import_tensor(tensor), name));
      } catch (const CompileError& error) {
        problems_.add_at(fmt::format("constant '{}'", name), error);
        define(name, nullptr);
      }
    }
  }

  void add_inputs(const onnx::GraphProto& proto) {
    const auto constants = values_;
    for (const auto& input : proto.input()) {
      if (constants.contains(input.name())) continue;  // before IR version 4 constants were inputs too
      if (values_.contains(input.name())) {
        problems_.add_at(fmt::format("input '{}'", input.name()), Diagnostic{"", "the name is defined twice", "each value once", "", "rename one of them"});
        continue;
      }
      try {
        define(input.name(), graph_->add_argument(input_type(input), input.name()));
      } catch (const CompileError& error) {
        problems_.add_at(fmt::format("input '{}'", input.name()), error);
        define(input.name(), nullptr);
      }
    }
  }

  [[noreturn]] static void refuse(std::string message, std::string expected = {}, std::string got = {}, std::string help = {}) {
    throw CompileError(ErrorCode::invalid, Diagnostic{"", std::move(message), std::move(expected), std::move(got), std::move(help)});
  }

  Type input_type(const onnx::ValueInfoProto& input) {
    if (!input.type().has_tensor_type()) refuse("only tensors are supported yet", "a tensor", "a sequence, map, optional or sparse tensor");
    const auto& tensor = input.type().tensor_type();
    Type type;
    type.dtype = import_dtype(tensor.elem_type());
    if (type.dtype == DType::string) refuse("strings are not supported yet", "numbers");
    if (!crosses_the_border(type.dtype)) throw CompileError(ErrorCode::invalid, border_problem(type.dtype));
    if (!tensor.has_shape()) refuse("an input of unknown rank is not supported yet", "a shape, whose dimensions may be symbolic", "no shape", "give the input a shape before export");
    for (int i = 0; i < tensor.shape().dim_size(); ++i) {
      const auto& dim = tensor.shape().dim(i);
      if (dim.has_dim_value()) {
        if (dim.dim_value() < 0) refuse(fmt::format("dimension {} is negative", i), "at least 0", std::to_string(dim.dim_value()));
        type.shape.push_back(dim.dim_value());
      } else {
        type.shape.push_back(Dim::symbol(dim.dim_param().empty() ? new_symbol(fmt::format("{}_d{}", input.name(), i)) : symbol_of(dim.dim_param())));
      }
    }
    override_shape(input.name(), type);
    if (!has_possible_size(type.shape)) refuse("the dimensions are too large", fmt::format("at most {} elements", kMostElements), to_text(type));
    return type;
  }

  /// A symbol of its own: names of different dimensions may be spelt alike once their characters are replaced.
  std::string new_symbol(const std::string& name) {
    std::string symbol = symbol_name(name);
    while (!symbols_taken_.insert(symbol).second) symbol += '_';
    return symbol;
  }

  /// The symbol of all dimensions of one ONNX name.
  std::string symbol_of(const std::string& name) {
    std::string& symbol = symbols_[name];
    if (symbol.empty()) symbol = new_symbol(name);
    return symbol;
  }

  void override_shape(const std::string& name, Type& type) {
    const auto found = options_.input_shapes.find(name);
    if (found == options_.input_shapes.end()) return;
    const Shape& wanted = found->second;
    bool fits = wanted.size() == type.shape.size();
    for (std::size_t i = 0; fits && i < wanted.size(); ++i) fits = !type.shape[i].is_constant() || type.shape[i] == wanted[i];
    if (!fits) refuse("the shape given with --shapes contradicts the model", to_text(type), to_text(wanted), "only symbolic dimensions can be replaced");
    type.shape = wanted;
  }

  void check_overrides() {
    for (const auto& [name, shape] : options_.input_shapes) {
      std::vector<std::string> names;
      for (const auto& argument : graph_->arguments()) names.push_back(argument->name);
      if (std::ranges::find(names, name) != names.end() || values_.contains(name)) continue;
      problems_.add(fmt::format("--shapes names input '{}', which the model does not have", name), fmt::format("{}", fmt::join(names, ", ")), name);
    }
  }

  /// All operators that cannot be imported, each once.
  void check_operators(const onnx::GraphProto& proto) {
    struct Missing {
      int count = 0;
      std::string first;
    };
    std::map<std::string, Missing> missing;
    for (int i = 0; i < proto.node_size(); ++i) {
      if (importer_of(proto.node(i))) continue;
      Missing& entry = missing[operator_name(proto.node(i))];
      if (entry.count++ == 0) entry.first = node_name(proto.node(i), i);
    }
    for (const auto& [name, entry] : missing) {
      problems_.add(fmt::format("operator {} of opset {} is not supported", name, opset_), "an operator of docs/operators.md",
                    fmt::format("{} node{}, the first is '{}'", entry.count, entry.count == 1 ? "" : "s", entry.first), "rewrite the model without it, or export it with another opset");
    }
  }

  static std::string operator_name(const onnx::NodeProto& node) {
    const bool standard = node.domain().empty() || node.domain() == "ai.onnx";
    return standard ? node.op_type() : node.domain() + "." + node.op_type();
  }

  const ImporterRow* importer_of(const onnx::NodeProto& node) const {
    const bool standard = node.domain().empty() || node.domain() == "ai.onnx";
    return standard ? find_importer(node.op_type(), opset_) : nullptr;
  }

  static std::string node_name(const onnx::NodeProto& node, int position) {
    return node.name().empty() ? fmt::format("{}_{}", node.op_type(), position) : node.name();
  }

  void add_node(onnx::NodeProto& proto, int position) {
    const std::string name = node_name(proto, position);
    const std::string part = fmt::format("node '{}' ({}, opset {})", name, operator_name(proto), opset_);
    const auto give_up = [&] {
      for (const auto& output : proto.output()) values_.try_emplace(output, nullptr);
    };
    const ImporterRow* row = importer_of(proto);
    if (!row) return give_up();
    Values inputs;
    for (const auto& input : proto.input()) {
      if (input.empty()) {
        inputs.push_back(nullptr);
        continue;
      }
      const auto found = values_.find(input);
      if (found == values_.end()) {
        problems_.add_at(part, Diagnostic{"", fmt::format("input '{}' is defined nowhere before", input), "nodes in an order where each value is computed before it is read", "", "sort the model's nodes"});
        return give_up();
      }
      if (!found->second) return give_up();  // what it depends on was refused
      inputs.push_back(found->second);
    }
    std::vector<bool> wanted;
    for (const auto& output : proto.output()) wanted.push_back(read_.contains(output));
    try {
      NodeContext context(proto, part, opset_, *graph_, {name}, std::move(inputs), std::move(wanted));
      const Values results = row->import(context);
      define_outputs(proto, results, part);
    } catch (const CompileError& error) {
      problems_.add_at(part, error);
      give_up();
    }
  }

  void define_outputs(const onnx::NodeProto& proto, const Values& results, const std::string& part) {
    for (int i = 0; i < proto.output_size(); ++i) {
      const std::string& name = proto.output(i);
      if (name.empty()) continue;
      if (values_.contains(name)) {
        problems_.add_at(part, Diagnostic{"", fmt::format("output '{}' is defined twice", name), "each value once", "", "rename one of them"});
        continue;
      }
      if (i < static_cast<int>(results.size())) {
        define(name, results[static_cast<std::size_t>(i)]);
      } else if (read_.contains(name)) {
        problems_.add_at(part, Diagnostic{"", fmt::format("output {} of this operator is not supported yet", i)});
        values_[name] = nullptr;
      }
    }
  }

  void add_outputs(const onnx::GraphProto& proto) {
    for (const auto& output : proto.output()) {
      const auto found = values_.find(output.name());
      if (found == values_.end()) {
        problems_.add_at(fmt::format("output '{}'", output.name()), Diagnostic{"", "no node computes it"});
      } else if (found->second && !crosses_the_border(found->second->type.dtype)) {
        problems_.add_at(fmt::format("output '{}'", output.name()), border_problem(found->second->type.dtype));
      } else if (found->second) {
        graph_->add_result(found->second, output.name());
      }
    }
    if (proto.output_size() == 0) problems_.add("the model has no outputs");
  }

  onnx::ModelProto& model_;
  const ImportOptions& options_;
  Problems problems_;
  std::unique_ptr<Graph> graph_;
  int opset_ = 0;
  std::set<std::string> read_;
  std::map<std::string, std::string> symbols_;  ///< by the name of the dimension
  std::set<std::string> symbols_taken_;
  std::map<std::string, Value*> values_;  ///< null: refused, or depends on what was
};

std::unique_ptr<Graph> import_named(std::string_view bytes, const ImportOptions& options, const std::string& name) {
  const auto model = parse_model(bytes, name);
  return Importer(*model, options, name).import();
}

}  // namespace

std::unique_ptr<Graph> import_onnx(const std::string& path, const ImportOptions& options) {
  const std::string name = options.name_in_messages.empty() ? path : options.name_in_messages;
  return import_named(read_model_file(path, name), options, name);
}

std::unique_ptr<Graph> import_onnx_bytes(std::string_view bytes, const ImportOptions& options) {
  return import_named(bytes, options, options.name_in_messages.empty() ? "model" : options.name_in_messages);
}

}  // namespace intaglio
