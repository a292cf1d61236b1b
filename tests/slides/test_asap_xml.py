"""XML files of ASAP and CAMELYON."""

import numpy as np
import pytest

shapely = pytest.importorskip("shapely")

from skhisto import read_annotations  # noqa: E402

OUTER = [(0, 0), (100, 0), (100, 100), (0, 100)]
INNER = [(20, 20), (40, 20), (40, 40), (20, 40)]


def annotation(group, points, kind="Polygon", orders=None):
    orders = range(len(points)) if orders is None else orders
    coordinates = "".join(
        f'<Coordinate Order="{order}" X="{x}" Y="{y}" />'
        for order, (x, y) in zip(orders, points, strict=True)
    )
    return (
        f'<Annotation Name="Annotation 0" Type="{kind}" PartOfGroup="{group}" '
        f'Color="#F4FA58"><Coordinates>{coordinates}</Coordinates></Annotation>'
    )


def document(*annotations, root="ASAP_Annotations"):
    return (
        f'<?xml version="1.0"?>\n<{root}><Annotations>{"".join(annotations)}'
        f'</Annotations><AnnotationGroups><Group Name="_0" PartOfGroup="None" '
        f'Color="#00ff00"><Attributes /></Group></AnnotationGroups></{root}>'
    )


@pytest.fixture
def read(tmp_path):
    def read_text(text, **parameters):
        path = tmp_path / "tumor_001.xml"
        path.write_text(text, encoding="utf-8")
        return read_annotations(path, **parameters)

    return read_text


def test_group_2_of_camelyon16_is_cut_out_of_groups_0_and_1(read):
    far = [(x + 200, y) for x, y in OUTER]
    text = document(
        annotation("_0", OUTER), annotation("_1", far), annotation("_2", INNER)
    )
    annotations = read(text)
    assert annotations.class_names == ("Tumor", "Tumor")
    boxes = [[22, 22, 38, 38], [10, 20, 30, 40], [210, 10, 220, 20], [120, 0, 130, 10]]
    assert annotations.touched(boxes).tolist() == [False, True, True, False]
    np.testing.assert_allclose(annotations.share(boxes), [0, 0.5, 1, 0])
    assert annotations.excluded(boxes).tolist() == [True, True, False, False]


@pytest.mark.parametrize(
    ("tumour", "cut_out"), [("Tumor", "Exclusion"), ("metastases", "normal")]
)
def test_groups_of_other_camelyon_files_are_known(read, tumour, cut_out):
    annotations = read(document(annotation(tumour, OUTER), annotation(cut_out, INNER)))
    assert annotations.classes == ["Tumor"]
    assert annotations.share([[0, 0, 100, 100]]).tolist() == [0.96]


def test_groups_of_other_data_sets_are_classes(read):
    text = document(annotation("Epithelium", OUTER), annotation("None", INNER))
    assert read(text).classes == ["Epithelium", "Unclassified"]


def test_groups_can_be_renamed_and_kept(read):
    text = document(annotation("_0", OUTER), annotation("_2", INNER))
    annotations = read(text, rename={"_0": "a", "_2": "b"}, exclude=())
    assert annotations.class_names == ("a", "b")


def test_points_are_taken_in_their_order(read):
    shuffled = [OUTER[i] for i in (2, 0, 3, 1)]
    annotations = read(document(annotation("_0", shuffled, orders=[2, 0, 3, 1])))
    assert annotations.n_repaired == 0
    assert annotations.polygons[0].area == 10_000


def test_outlines_of_other_types_are_read_and_points_are_not(read):
    text = document(
        annotation("_0", OUTER, "Rectangle"),
        annotation("_0", OUTER, "Spline"),
        annotation("_0", OUTER, "PointSet"),
        annotation("_0", OUTER[:2]),
        annotation("_0", []),
    )
    with pytest.warns(UserWarning, match="3 shapes without area were left out"):
        assert len(read(text).polygons) == 2


def test_polygons_that_intersect_themselves_are_repaired(read):
    bowtie = [OUTER[i] for i in (0, 2, 1, 3)]
    with pytest.warns(UserWarning, match="1 invalid polygons were repaired"):
        annotations = read(document(annotation("_0", bowtie)))
    assert annotations.polygons[0].area == 5000


def bomb(n_levels=12):
    entities = ['<!ENTITY e0 "lol">']
    entities += [f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, n_levels)]
    return f"<!DOCTYPE x [{''.join(entities)}]><ASAP_Annotations>&e{n_levels - 1};"


@pytest.mark.parametrize(
    "text",
    [
        '<?xml version="1.0"?>' + bomb() + "</ASAP_Annotations>",
        '<!DOCTYPE x SYSTEM "http://localhost/x.dtd"><ASAP_Annotations/>',
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
        "<ASAP_Annotations>&e;</ASAP_Annotations>",
    ],
    ids=["billion laughs", "external definition", "external entity"],
)
def test_document_type_definitions_are_refused(read, text):
    with pytest.raises(ValueError, match=r"tumor_001.xml' contains a document type"):
        read(text)


def test_another_encoding_cannot_hide_a_definition(read, tmp_path):
    path = tmp_path / "utf16.xml"
    path.write_bytes(bomb().encode("utf-16"))
    with pytest.raises(ValueError, match=r"utf16.xml' is not text in UTF-8"):
        read_annotations(path)
    # The declared encoding is not used, because the text is decoded already.
    declared = '<?xml version="1.0" encoding="cp037"?>'
    text = document(annotation("_0", OUTER)).replace('<?xml version="1.0"?>', declared)
    assert read(text).polygons[0].area == 10_000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<", "is not valid XML"),
        ("<a>&unknown;</a>", "is not valid XML"),
        ("<a>\0</a>", "is not valid XML"),
        (document(root="Annotations"), "has the root <Annotations>"),
        (
            document(annotation("_0", [("a", 1)] * 3)),
            "annotation 0 has an invalid coordinate",
        ),
        (
            document(annotation("_0", OUTER)).replace(' Y="0"', ""),
            "has an invalid coordinate",
        ),
        (
            document(annotation("_0", [("nan", 1)] * 3)),
            "annotation 0 has coordinates that are not finite",
        ),
        (document(annotation("_0", [("inf", 1)] * 3)), "are not finite"),
    ],
)
def test_other_content_is_refused_with_the_name_of_the_file(read, text, message):
    with pytest.raises(ValueError, match=f"tumor_001.xml'.*{message}"):
        read(text)


def test_deeply_nested_elements_are_refused(read):
    with pytest.raises(ValueError, match="has the root <a>"):
        read("<a>" * 100_000 + "</a>" * 100_000)
