// Arrays of Python at the door. NumPy's own are looked at through its `__array_struct__`, and small ones are made by NumPy: the ways of
// nanobind, which know every library, take longer than most of what a small model computes of them.
#pragma once
#pragma GCC diagnostic push  // nanobind's own headers are not ours to mend
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wconversion"
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#pragma GCC diagnostic pop

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace interlace {

// What `__array_struct__` points to: the array interface of NumPy, version 3.
struct ArrayInterface {
    int two, nd;
    char kind;
    int itemsize, flags;
    Py_ssize_t *shape, *strides;
    void* data;
    PyObject* descr;
    static constexpr int contiguous = 0x1, aligned = 0x100, native = 0x200;
};

// f(interface, owner), true where the object has one and f is; no exception is left behind. What it points to lives as long as the owner,
// which need not be the object: some make an array when they are asked.
template <class F> bool with_interface(PyObject* o, F f) noexcept {
    static PyObject* const name = PyUnicode_InternFromString("__array_struct__");
    nanobind::object capsule = nanobind::steal(PyObject_GetAttr(o, name));
    const auto* found = capsule ? static_cast<const ArrayInterface*>(PyCapsule_GetPointer(capsule.ptr(), nullptr)) : nullptr;
    if (!found) PyErr_Clear();
    return found && found->two == 2 && f(*found, std::move(capsule));
}

template <class T> constexpr char kind_of() {
    return std::is_same_v<T, bool> ? 'b' : std::is_floating_point_v<T> ? 'f' : std::is_signed_v<T> ? 'i' : 'u';
}

// A C-contiguous or strided array of N dimensions (any for N = 0, whose shape nobody asks for) that is only read, and is held.
template <class T, size_t N, bool Contiguous = true> class Array {
  public:
    using Any = std::conditional_t<
        N == 0, nanobind::ndarray<const T, nanobind::c_contig, nanobind::device::cpu>,
        std::conditional_t<Contiguous, nanobind::ndarray<const T, nanobind::ndim<N>, nanobind::c_contig, nanobind::device::cpu>,
                           nanobind::ndarray<const T, nanobind::ndim<N>, nanobind::device::cpu>>>;

    const T* data() const { return data_; }
    size_t size() const { return size_; }
    size_t shape(size_t i) const { return shape_[i]; }
    std::int64_t stride(size_t i) const { return stride_[i]; }  // in numbers

    // Is it one of NumPy's, as it is needed?
    bool look(PyObject* o) noexcept {
        return with_interface(o, [&](const ArrayInterface& a, nanobind::object owner) {
            constexpr int needed = ArrayInterface::aligned | ArrayInterface::native | (Contiguous ? ArrayInterface::contiguous : 0);
            if (a.kind != kind_of<T>() || a.itemsize != int{sizeof(T)} || (a.flags & needed) != needed || (N > 0 && a.nd != int{N})) return false;
            for (int i = 0; !Contiguous && i < a.nd; ++i)
                if (a.strides[i] % Py_ssize_t{sizeof(T)} != 0) return false;
            size_ = 1;
            for (int i = 0; i < a.nd; ++i) size_ *= static_cast<size_t>(a.shape[i]);
            for (size_t i = 0; i < N; ++i) {
                shape_[i] = static_cast<size_t>(a.shape[i]);
                stride_[i] = a.strides[i] / Py_ssize_t{sizeof(T)};
            }
            data_ = static_cast<const T*>(a.data);
            held_ = std::move(owner);
            return true;
        });
    }
    // Any other, or one that had to be copied
    void take(Any other) {
        data_ = other.data();
        size_ = other.size();
        for (size_t i = 0; i < N; ++i) {
            shape_[i] = other.shape(i);
            stride_[i] = other.stride(i);
        }
        other_ = std::move(other);
    }

  private:
    const T* data_ = nullptr;
    size_t size_ = 0;
    std::array<size_t, N> shape_{};
    std::array<std::int64_t, N> stride_{};
    nanobind::object held_;
    Any other_;
};

// Numbers that take no longer to be copied than to be handed over, in bytes.
constexpr size_t few_bytes = 4096;

template <class T> nanobind::object empty_array(const std::vector<size_t>& shape) {
    static PyObject* empty = nullptr;
    static PyObject* type = nullptr;
    if (!empty) {
        const nanobind::module_ numpy = nanobind::module_::import_("numpy");
        const char name[] = {kind_of<T>(), static_cast<char>('0' + sizeof(T)), 0};
        type = numpy.attr("dtype")(name).release().ptr();
        empty = nanobind::object(numpy.attr("empty")).release().ptr();
    }
    nanobind::object sizes = nanobind::steal(PyTuple_New(static_cast<Py_ssize_t>(shape.size())));
    for (size_t i = 0; i < shape.size(); ++i) PyTuple_SetItem(sizes.ptr(), static_cast<Py_ssize_t>(i), PyLong_FromSize_t(shape[i]));
    PyObject* made = PyObject_CallFunctionObjArgs(empty, sizes.ptr(), type, nullptr);
    if (!made) throw nanobind::python_error();
    return nanobind::steal(made);
}

template <class T> nanobind::object to_numpy(std::vector<T> v, std::vector<size_t> shape) {
    if (v.size() * sizeof(T) <= few_bytes) {
        nanobind::object out = empty_array<T>(shape);
        const bool written = with_interface(out.ptr(), [&](const ArrayInterface& a, const nanobind::object&) {
            size_t size = 1;
            for (int i = 0; i < a.nd; ++i) size *= static_cast<size_t>(a.shape[i]);
            if (size != v.size() || a.itemsize != int{sizeof(T)}) return false;
            if (size > 0) std::memcpy(a.data, v.data(), size * sizeof(T));
            return true;
        });
        if (written) return out;
    }
    auto* held = new std::vector<T>(std::move(v));
    nanobind::capsule owner(held, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
    return nanobind::cast(nanobind::ndarray<nanobind::numpy, T>(held->data(), shape.size(), shape.data(), owner));
}

}  // namespace interlace

namespace nanobind::detail {

template <class T, size_t N, bool Contiguous> struct type_caster<interlace::Array<T, N, Contiguous>> {
    using Held = interlace::Array<T, N, Contiguous>;
    NB_TYPE_CASTER(Held, make_caster<typename Held::Any>::Name)

    template <class Flags> bool from_python(handle src, Flags flags, cleanup_list* cleanup) noexcept {
        if (value.look(src.ptr())) return true;
        make_caster<typename Held::Any> other;
        if (!other.from_python(src, flags, cleanup)) return false;
        value.take(std::move(other.value));
        return true;
    }
};

}  // namespace nanobind::detail
